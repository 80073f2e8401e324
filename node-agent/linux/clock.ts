/** CLOCK_MONOTONIC: runs on through a freeze of the process, never jumps with the wall clock. */
import type { Instant } from '../vrrp/time.ts'

export function now(): Instant {
  return (Number(process.hrtime.bigint() / 100n) / 10) as Instant
}
