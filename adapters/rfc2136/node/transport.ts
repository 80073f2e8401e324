/**
 * DNS over TCP from Node (RFC 1035 section 4.2.2): two bytes of length, then the message.
 *
 * Each exchange has a connection of its own. On one that is used again, servers hold back the second of several answers
 * until the first is acknowledged, which systems delay by some 40 ms (measured with BIND and Knot): more than connecting.
 */
import { connect } from 'node:net'
import { failure, givenUp, timedOut, transportFailure } from '../../failures.ts'
import type { Exchange, Exchanged } from '../transport.ts'

/** How long to wait for a connection, in milliseconds: short, because until then nothing was sent. */
const connectMs = 3_000

export const exchange: Exchange = (server, messages, { signal, timeoutMs }) => {
  if (signal.aborted) return Promise.resolve(givenUp)
  return new Promise<Exchanged>((resolve) => {
    const socket = connect({ host: server.host, port: server.port })
    let pending = Buffer.alloc(0)
    const answers = new Map<number, Uint8Array>()
    const end = (result: Exchanged): void => {
      clearTimeout(connecting)
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.destroy()
      resolve(result)
    }
    const abort = (): void => end(givenUp)
    const connecting = setTimeout(() => {
      if (socket.connecting) end(failure('retry', 'ETIMEDOUT', `no connection within ${connectMs} ms`))
    }, connectMs)
    const timer = setTimeout(() => end(timedOut(timeoutMs)), timeoutMs)
    signal.addEventListener('abort', abort, { once: true })
    socket.on('error', (error) => end(transportFailure(error)))
    socket.on('close', () => end({ kind: 'unknown', code: 'Closed', message: 'the server closed without an answer' }))
    socket.on('connect', () => {
      socket.setNoDelay(true)
      socket.write(Buffer.concat(messages.flatMap((message) => [lengthOf(message), message])))
    })
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0)
        const answer = Uint8Array.from(pending.subarray(2, 2 + length))
        pending = pending.subarray(2 + length)
        if (answer.length >= 2) answers.set(idOf(answer), answer)
      }
      const found = messages.map((message) => answers.get(idOf(message)))
      if (found.every((answer) => answer !== undefined)) end({ kind: 'answered', answers: found })
    })
  })
}

const idOf = (message: Uint8Array): number => (message[0]! << 8) | message[1]!

function lengthOf(message: Uint8Array): Uint8Array {
  return Uint8Array.of(message.length >> 8, message.length & 255)
}
