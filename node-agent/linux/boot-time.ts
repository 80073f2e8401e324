/** The clock of `boot-clock.ts` for the real-time process, which asks at each turn: a system call, not a file that is read. */
import { clockGettime } from './libc.ts'

/** CLOCK_BOOTTIME in milliseconds. */
export function bootTime(): number {
  const CLOCK_BOOTTIME = 7
  const { seconds, nanoseconds } = clockGettime(CLOCK_BOOTTIME)
  return seconds * 1_000 + nanoseconds / 1e6
}
