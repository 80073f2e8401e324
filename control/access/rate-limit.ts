/**
 * How much one caller may ask for: a token bucket for each, as a function of the bucket and the time.
 *
 * A bucket holds `burst` and is refilled with `perSecond`; each request takes one out. Whoever finds it empty is told
 * when to come back.
 */

export type Limit = { readonly perSecond: number; readonly burst: number }

/** `at`: when `left` was true, on the caller's clock in milliseconds. */
export type Bucket = { readonly left: number; readonly at: number }

export type Taken = {
  readonly bucket: Bucket
  readonly allowed: boolean
  /** Whole requests that are left now. */
  readonly left: number
  /** Milliseconds until the next request is allowed; 0 when one is left. */
  readonly waitMs: number
}

/** `bucket` undefined: a full one. */
export function take(bucket: Bucket | undefined, limit: Limit, now: number): Taken {
  const before = bucket === undefined ? limit.burst : filled(bucket, limit, now)
  // Whoever waited as told must be served, although sums of fractions may end a hair below a whole one.
  const allowed = before >= 1 - 1e-9
  const after = allowed ? Math.max(0, before - 1) : before
  const waitMs = after >= 1 ? 0 : Math.ceil(((1 - after) / limit.perSecond) * 1_000)
  return { bucket: { left: after, at: now }, allowed, left: Math.floor(after), waitMs }
}

function filled({ left, at }: Bucket, { perSecond, burst }: Limit, now: number): number {
  return Math.min(burst, left + (Math.max(0, now - at) / 1_000) * perSecond)
}

/** One bucket for each key. At most `most` are remembered: the one that was asked for longest ago is forgotten first. */
export function createLimiter(limit: Limit, most = 10_000): (key: string, now: number) => Taken {
  const buckets = new Map<string, Bucket>()
  return (key, now) => {
    const taken = take(buckets.get(key), limit, now)
    // A map keeps the order of insertion, so that putting it in anew makes it the youngest.
    buckets.delete(key)
    buckets.set(key, taken.bucket)
    if (buckets.size > most) buckets.delete(buckets.keys().next().value!)
    return taken
  }
}

/** Whom an address stands for: an IPv6 host has a whole /64 to call from, and counts as one. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0')
  const groups = [...front, ...gap, ...back].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
