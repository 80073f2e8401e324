/**
 * Notices that the machine was suspended: its boot clock went on, and the clock of all deadlines stood still.
 *
 * A pause of a virtual machine that stops both clocks leaves no trace here; what it leaves is a peer that took over,
 * and its advertisements are heard before anything is sent.
 */
import type { Input } from './vrrp/engine.ts'
import { type Instant, milliseconds } from './vrrp/time.ts'

export type SleepWatch = {
  /** `sinceBoot` in milliseconds. Undefined: it has not slept since the last look. */
  readonly look: (sinceBoot: number, now: Instant) => (Input & { readonly kind: 'slept' }) | undefined
}

/** The boot clock is read in hundredths of a second; less than this is no sleep, in milliseconds. */
const noticeableMs = 50

export function createSleepWatch(): SleepWatch {
  let ahead: number | undefined
  return {
    look(sinceBoot, now) {
      const isAhead = sinceBoot - now / 1_000
      const slept = ahead === undefined ? 0 : isAhead - ahead
      // The least is the truest: what is read between two hundredths looks ahead by up to one.
      if (ahead === undefined || isAhead < ahead || slept > noticeableMs) ahead = isAhead
      return slept > noticeableMs ? { kind: 'slept', for: milliseconds(slept) } : undefined
    },
  }
}
