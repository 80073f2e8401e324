/**
 * Time that runs `CLOCK_SPEED` times as fast, for a process started with `node --import` of this file: minutes of
 * waiting pass in seconds, and everything else is as real as it was. Wall-clock time is left alone.
 */
const speed = Number(process.env.CLOCK_SPEED ?? 1)
const now = performance.now.bind(performance)
const later = globalThis.setTimeout

performance.now = () => now() * speed
globalThis.setTimeout = Object.assign(
  (work: (...values: unknown[]) => void, ms = 0, ...values: unknown[]) => later(work, ms / speed, ...values),
  later,
) as typeof setTimeout
