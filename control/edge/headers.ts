/** What a proxy changes in the headers of a request and of its answer (RFC 9110 §7.6). */
import type { EdgeRoute } from './contract.ts'

/** How this edge is called in `Via`: a request that already has it has been here before. */
const pseudonym = 'holdfast-edge'

/** About one connection only. `Connection` may name more. */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** Said about the client by whoever sent the request; only what this edge sees itself is passed on. */
const aboutClient = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']

export function isLoop(headers: Headers): boolean {
  return new RegExp(`\\b${pseudonym}\\b`).test(headers.get('via') ?? '')
}

export function isWebSocket(headers: Headers): boolean {
  return headers.get('upgrade')?.toLowerCase() === 'websocket'
}

/** The host is that of the origin's url, so that its certificate and its virtual host fit. */
export function requestHeaders(request: Request): Headers {
  const headers = new Headers(request.headers)
  const upgrading = isWebSocket(headers)
  removeHopByHop(headers)
  for (const name of [...aboutClient, 'host']) headers.delete(name)
  const { host, protocol } = new URL(request.url)
  const client = request.headers.get('cf-connecting-ip')
  if (client !== null) headers.set('x-forwarded-for', client)
  headers.set('x-forwarded-host', host)
  headers.set('x-forwarded-proto', protocol.slice(0, -1))
  headers.append('via', `1.1 ${pseudonym}`)
  if (upgrading) headers.set('upgrade', 'websocket')
  return headers
}

export function responseHeaders(response: Response, site: string, { epoch }: EdgeRoute): Headers {
  const headers = new Headers(response.headers)
  removeHopByHop(headers)
  headers.set('x-holdfast-site', site)
  headers.set('x-holdfast-epoch', String(epoch))
  return headers
}

function removeHopByHop(headers: Headers): void {
  const named = (headers.get('connection') ?? '').split(',').map((name) => name.trim())
  for (const name of [...hopByHop, ...named]) if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) headers.delete(name)
}
