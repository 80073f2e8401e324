/**
 * How the SDK reaches AWS from Node: by connections that are kept, with credentials from wherever AWS's own tools find
 * them (environment, profile, the machine's role).
 */
import type { Connection } from '../connection.ts'

export { credentialFailure, credentialSource } from './credentials.ts'

/** How long to wait for a connection, in milliseconds: short, because until then nothing was sent. */
const connectTimeoutMs = 3_000

export function connection(): Connection {
  const agent = { keepAlive: true, maxSockets: 8 }
  return { requestHandler: { connectionTimeout: connectTimeoutMs, httpAgent: agent, httpsAgent: agent } }
}
