/**
 * Time in the VRRP core: instants and durations in microseconds, so that no fraction of a skew is lost (RFC 9568 §6.1).
 *
 * The wire speaks centiseconds. They are another type, so that the two can't be mixed up.
 */

/** Microseconds on the monotonic clock, from an arbitrary origin. */
export type Instant = number & { readonly unit: 'instant' }

/** A length of time in microseconds. */
export type Microseconds = number & { readonly unit: 'microseconds' }

/** What the Max Advertise Interval field counts: 1..4095. */
export type Centiseconds = number & { readonly unit: 'centiseconds' }

export const centisecond = 10_000 as Microseconds

export function milliseconds(count: number): Microseconds {
  return (count * 1_000) as Microseconds
}

export function ofCentiseconds(count: Centiseconds): Microseconds {
  return (count * centisecond) as Microseconds
}

export function after(instant: Instant, duration: Microseconds): Instant {
  return (instant + duration) as Instant
}

/** The earlier of deadlines, some of which may not be set. */
export function earliest(...deadlines: readonly (Instant | undefined)[]): Instant | undefined {
  return deadlines.reduce(
    (first, next) => (first === undefined || (next !== undefined && next < first) ? next : first),
    undefined,
  )
}
