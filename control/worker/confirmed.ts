/**
 * An adapter that only writes for the one true object.
 *
 * Cloudflare starts an object anew when a machine fails or code is deployed, and the former one may go on for some
 * seconds without knowing it. It finds out when a write of its own cannot be made durable, so one is made before each
 * call that changes something outside; a former self ends there, and its call never leaves.
 */

import type { Adapter, Outcome } from '../../adapters/adapter.ts'
import { messageOf } from '../message-of.ts'

/** `confirm` rejects when this object is not the present one. */
export function confirmed(adapter: Adapter, confirm: () => Promise<void>): Adapter {
  return {
    ...adapter,
    apply: async (move, signal): Promise<Outcome> => {
      try {
        await confirm()
      } catch (error) {
        const message = messageOf(error)
        return {
          kind: 'retry',
          code: 'Superseded',
          message: `another object may have taken this one's place: ${message}`,
        }
      }
      if (signal.aborted) return { kind: 'retry', code: 'Aborted', message: 'given up before it was sent' }
      return adapter.apply(move, signal)
    },
  }
}
