/**
 * What one look at a place comes to, and in which words: the same on every runtime, whatever it looks with.
 *
 * A page is well when it answers with a status from 200 to 399, a port when it takes a connection. A redirect is not
 * followed and the body of an answer is not read: that the server answers is what is asked.
 */

import { messageOf } from '../message-of.ts'
import type { Probe } from './ports.ts'

export type Looks = {
  /** Resolves to the status of the answer. */
  http(url: string, signal: AbortSignal): Promise<number>
  /** `address`: `192.0.2.1:5432`, `[2001:db8::1]:5432` or `db.example:5432`. Resolves once it is connected. */
  tcp(address: string, signal: AbortSignal): Promise<void>
}

export const userAgent = 'holdfast'

export function createProbe({ http, tcp }: Looks): Probe {
  return async (target, signal) => {
    try {
      signal.throwIfAborted()
      if (target.kind === 'tcp') {
        await tcp(target.address, signal)
        return null
      }
      const status = await http(target.url, signal)
      return status >= 200 && status < 400 ? null : `it answered ${status}`
    } catch (error) {
      if (signal.aborted) return 'it did not answer in time'
      return messageOf(error)
    }
  }
}
