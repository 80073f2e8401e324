/**
 * A strict receiver of webhook deliveries on this machine: it takes nothing that is unsigned, old, repeated under
 * another name or not exactly as documented (`adapters/webhook/`), and goes wrong in every way of `strict-cloud.ts`.
 *
 *   POST /hook                      `deliver`   an epoch lower than its own, or another `previous` than it has: 409
 *   GET /hook?service=&binding=     `look`      {node, epoch}
 *
 * Not fenced, it does what it was told last, and knows no epochs.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import {
  type Asked,
  type Call,
  type CloudOptions,
  createStrictCloud,
  type Performed,
  type Protocol,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

export type ReceiverOptions = CloudOptions & {
  readonly secret: string
  readonly fenced: boolean
  readonly bindings: readonly { readonly service: string; readonly binding: string }[]
}

type Held = { readonly node: string | null; readonly epoch: number; readonly target: unknown }
/** By `service/binding`. */
export type ReceiverState = Readonly<Record<string, Held>>

/** How old or early a signature may be, in seconds. */
const toleranceSeconds = 300

export function createWebhookReceiver(options: ReceiverOptions): Promise<StrictCloud<ReceiverState>> {
  const held = options.bindings.map(({ service, binding }) => {
    return [`${service}/${binding}`, { node: null, epoch: 0, target: null }] as const
  })
  return createStrictCloud<ReceiverState>({
    ...options,
    initial: Object.fromEntries(held),
    protocol: protocolOf(options),
  })
}

const statusOf: Readonly<Record<string, number>> = {
  ...{ Malformed: 400, BadSignature: 401, Expired: 401, Forbidden: 403, NoSuchBinding: 404, NotAllowed: 405 },
  ...{ StaleEpoch: 409, NotAsObserved: 409, TooMany: 429, Unavailable: 503 },
}

function refuse(code: string, message: string, more: object = {}): Reply {
  return { ...json(statusOf[code] ?? 400, { code, message, ...more }), outcome: code }
}

function json(status: number, value: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value), outcome: 'ok' }
}

function protocolOf({ secret, fenced }: ReceiverOptions): Protocol<ReceiverState> {
  return {
    read: (asked, now) => readCall(asked, { secret, now }),
    perform: (state, call, { asked }) =>
      call.action === 'look' ? look(state, call, fenced) : deliver(state, asked, fenced),
    refuse,
  }
}

const lookSchema = z.strictObject({ service: z.string().min(1), binding: z.string().min(1) })

const deliverySchema = z.strictObject({
  service: z.string().min(1),
  node: z.string().min(1),
  epoch: z.int().min(0),
  previous: z.string().nullable(),
  binding: z.string().min(1),
  target: z.record(z.string(), z.unknown()).optional(),
})

function readCall(asked: Asked, { secret, now }: { readonly secret: string; readonly now: Date }): Call | Reply {
  const [path, query = ''] = asked.target.split('?')
  if (path !== '/hook' || !['GET', 'POST'].includes(asked.method))
    return refuse('NotAllowed', 'GET and POST /hook only')
  const text = asked.method === 'GET' ? query : asked.body
  const problem = signatureProblem(asked.headers['x-holdfast-signature'], { text, secret, now })
  if (problem !== undefined) return problem
  if (asked.method === 'GET') return readLook(asked, query)
  return readDelivery(asked)
}

function signatureProblem(
  header: string | readonly string[] | undefined,
  { text, secret, now }: { readonly text: string; readonly secret: string; readonly now: Date },
): Reply | undefined {
  const [, t = '', v1 = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(header)) ?? []
  const own = createHmac('sha256', secret).update(`${t}.${text}`).digest()
  if (t === '' || !timingSafeEqual(own, Buffer.from(v1, 'hex')))
    return refuse('BadSignature', 'not signed by the secret')
  if (Math.abs(now.getTime() / 1000 - Number(t)) <= toleranceSeconds) return undefined
  return refuse('Expired', `signed more than ${toleranceSeconds} s from now`)
}

function readLook(asked: Asked, query: string): Call | Reply {
  const params = new URLSearchParams(query)
  const parsed = lookSchema.safeParse(Object.fromEntries(params))
  if (!parsed.success || params.size !== 2 || asked.body !== '')
    return refuse('Malformed', 'service and binding, once each')
  return { action: 'look', params: parsed.data, kind: 'read' }
}

function readDelivery({ headers, body }: Asked): Call | Reply {
  if (headers['content-type'] !== 'application/json') return refuse('Malformed', 'a delivery is application/json')
  const parsed = deliverySchema.safeParse(jsonOr(body))
  if (!parsed.success) return refuse('Malformed', z.prettifyError(parsed.error))
  const { service, binding, node, epoch, previous } = parsed.data
  if (headers['x-holdfast-epoch'] !== String(epoch)) return refuse('Malformed', 'x-holdfast-epoch is another epoch')
  const params = { service, binding, node, epoch: String(epoch), previous: String(previous) }
  return { action: 'deliver', params, kind: 'write' }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function heldIn(state: ReceiverState, service: string, binding: string): Held | undefined {
  const key = `${service}/${binding}`
  return Object.hasOwn(state, key) ? state[key] : undefined
}

function look(state: ReceiverState, { params }: Call, fenced: boolean): Performed<ReceiverState> {
  const held = heldIn(state, params.service ?? '', params.binding ?? '')
  if (held === undefined) return { reply: refuse('NoSuchBinding', 'no such service and binding') }
  const { node, epoch } = held
  return { reply: json(200, fenced ? { node, epoch } : { node }) }
}

function deliver(state: ReceiverState, { body }: Asked, fenced: boolean): Performed<ReceiverState> {
  const { service, binding, node, epoch, previous, target = null } = deliverySchema.parse(JSON.parse(body))
  const held = heldIn(state, service, binding)
  if (held === undefined) return { reply: refuse('NoSuchBinding', 'no such service and binding') }
  const more = { node: held.node, epoch: held.epoch }
  if (fenced && epoch < held.epoch) return { reply: refuse('StaleEpoch', `${epoch} is lower than ${held.epoch}`, more) }
  const same = epoch === held.epoch && node === held.node
  if (fenced && !same && previous !== held.node) {
    return { reply: refuse('NotAsObserved', `it is at ${held.node}, not at ${previous}`, more) }
  }
  return {
    reply: { ...json(200, { ok: true }) },
    state: { ...state, [`${service}/${binding}`]: { node, epoch, target } },
  }
}
