/** Time that passes only when a test says so. */
import type { Timers } from '../../adapters/memory.ts'

export type ManualTimers = Timers & { pass(ms: number): void }

export function createManualTimers(): ManualTimers {
  let now = 0
  let waiting: { at: number; call: () => void }[] = []
  return {
    now: () => now,
    after: (ms, call) => {
      waiting.push({ at: now + ms, call })
    },
    pass: (ms) => {
      const end = now + ms
      for (;;) {
        const next = waiting.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0]
        if (next === undefined) break
        waiting = waiting.filter((entry) => entry !== next)
        now = next.at
        next.call()
      }
      now = end
    },
  }
}
