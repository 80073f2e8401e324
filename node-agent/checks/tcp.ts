/** A probe over TCP: the connection is accepted, and closed again. */
import { connect } from 'node:net'
import { type Probe, reasonOf } from './check.ts'

export function probeTcp({ host, port }: Probe & { kind: 'tcp' }, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal })
    socket.once('connect', () => {
      socket.destroy()
      resolve(null)
    })
    socket.once('error', (error) => resolve(reasonOf(error)))
  })
}
