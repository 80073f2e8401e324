/** One look at a place that should answer, from a Worker: a page by `fetch`, a port by the runtime's own sockets. */
import { connect } from 'cloudflare:sockets'
import { createProbe, userAgent } from '../core/probe-verdict.ts'

export const probe = createProbe({ http: statusOf, tcp: connectTo })

async function statusOf(url: string, signal: AbortSignal): Promise<number> {
  const response = await fetch(url, { signal, redirect: 'manual', headers: { 'user-agent': userAgent } })
  await response.body?.cancel()
  return response.status
}

async function connectTo(address: string, signal: AbortSignal): Promise<void> {
  const socket = connect(address)
  const { promise: givenUp, reject } = Promise.withResolvers<never>()
  const giveUp = (): void => reject(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  // Rejects beside `opened`, and nobody waits for it.
  socket.closed.catch(() => undefined)
  try {
    await Promise.race([socket.opened, givenUp])
  } finally {
    signal.removeEventListener('abort', giveUp)
    // One that never opens never closes either: not waited for.
    socket.close().catch(() => undefined)
  }
}
