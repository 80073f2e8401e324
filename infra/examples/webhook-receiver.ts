/**
 * A receiver for the `webhook` adapter, as small as a right one can be: `SECRET=... node infra/examples/webhook-receiver.ts`
 *
 *   - what is unsigned, or was signed long ago, is refused
 *   - an epoch lower than one that it accepted is refused with that one: a late delivery changes nothing
 *   - so is a move from where it is not any more
 *
 * It keeps what it knows in memory only; a real one would keep it where it keeps what it moves.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'

export type Moved = { readonly node: string | null; readonly epoch: number }
type Answer = { readonly status: number; readonly body: object }

export function createReceiver({
  secret,
  moved,
}: {
  readonly secret: string
  readonly moved: Map<string, Moved>
}): Server {
  return createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const query = request.url?.split('?')[1] ?? ''
    const genuine = isGenuine(request, request.method === 'GET' ? query : body, secret)
    const { status, body: answer } = !genuine
      ? { status: 401, body: { error: 'not signed by the secret, or too long ago' } }
      : request.method === 'GET'
        ? look(moved, new URLSearchParams(query))
        : move(moved, JSON.parse(body))
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
}

function isGenuine(request: IncomingMessage, text: string, secret: string): boolean {
  const [, t = '0', v1 = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers['x-holdfast-signature'])) ?? []
  const own = createHmac('sha256', secret).update(`${t}.${text}`).digest('hex')
  const same = v1.length === own.length && timingSafeEqual(Buffer.from(own), Buffer.from(v1))
  return same && Math.abs(Date.now() / 1000 - Number(t)) <= 300
}

function look(moved: Map<string, Moved>, query: URLSearchParams): Answer {
  const body = moved.get(`${query.get('service')}/${query.get('binding')}`) ?? { node: null, epoch: 0 }
  return { status: 200, body }
}

type Delivery = Record<'service' | 'binding' | 'node', string> & {
  readonly epoch: number
  readonly previous: string | null
}

function move(moved: Map<string, Moved>, { service, binding, node, epoch, previous }: Delivery): Answer {
  const key = `${service}/${binding}`
  const held = moved.get(key) ?? { node: null, epoch: 0 }
  const again = epoch === held.epoch && node === held.node
  if (epoch < held.epoch || (!again && previous !== held.node)) return { status: 409, body: held }
  // Here it would move what it is for, and answer 500 when that fails.
  moved.set(key, { node, epoch })
  return { status: 200, body: {} }
}

if (import.meta.main) {
  const server = createReceiver({ secret: process.env.SECRET ?? '', moved: new Map() })
  if (!process.env.SECRET) throw new Error('SECRET is not set')
  server.listen(8080, '127.0.0.1')
}
