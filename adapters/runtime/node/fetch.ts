/**
 * `fetch` on a machine, over connections that stay open between two looks, so that a move is one round trip. The
 * runtime's own would close them after four seconds.
 */
import { Agent, fetch as undiciFetch } from 'undici'

/** How long to wait for a connection, in milliseconds: short, because until then nothing was sent. */
const connectTimeoutMs = 3_000

const agent = new Agent({
  keepAliveTimeout: 600_000,
  keepAliveMaxTimeout: 600_000,
  connect: { timeout: connectTimeoutMs },
})

export const fetch = ((url: string, init?: RequestInit) =>
  undiciFetch(url, { ...(init as object), dispatcher: agent })) as unknown as typeof globalThis.fetch
