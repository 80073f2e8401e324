/** The lab's clock: CLOCK_MONOTONIC in milliseconds, the same in every process of this machine. */
export function nowMs(): number {
  return performance.now() + originMs
}

/**
 * `performance.now` starts at zero with the process, but costs no allocation; both read the same kernel clock. What
 * comes between the two readings, such as the first use of `performance`, makes the origin too early: so the latest.
 */
const originMs = Math.max(
  ...Array.from({ length: 20 }, () => Number(process.hrtime.bigint()) / 1e6 - performance.now()),
)
