/**
 * EC2's budget of calls: a bucket of tokens for each action, of the account in the region. Every call takes one, and they
 * come back at a steady rate; whoever finds none is refused, and nothing happens.
 */

type Bucket = { readonly capacity: number; readonly perSecond: number }

/** As AWS documents them; those that write otherwise have `writes`. */
const special: Readonly<Record<string, Bucket>> = {
  AssignIpv6Addresses: { capacity: 100, perSecond: 5 },
  AssignPrivateIpAddresses: { capacity: 100, perSecond: 5 },
  UnassignPrivateIpAddresses: { capacity: 100, perSecond: 5 },
}
const reads: Bucket = { capacity: 100, perSecond: 20 }
/** Whoever asks for all interfaces of the account finds a smaller one. */
const unfiltered: Bucket = { capacity: 50, perSecond: 10 }
const writes: Bucket = { capacity: 50, perSecond: 5 }

export type Throttle = {
  /** Takes a token; false when there is none. */
  take(action: string, params: Readonly<Record<string, string>>): boolean
}

/** `now` in milliseconds. */
export function createThrottle(now: () => number): Throttle {
  const levels = new Map<string, { level: number; at: number }>()
  return {
    take: (action, params) => {
      const isAll = action === 'DescribeNetworkInterfaces' && !isNarrowed(params)
      const key = isAll ? `${action}, unfiltered` : action
      const { capacity, perSecond } = isAll ? unfiltered : bucketOf(action)
      const { level, at } = levels.get(key) ?? { level: capacity, at: now() }
      const filled = Math.min(capacity, level + ((now() - at) * perSecond) / 1000)
      const taken = filled >= 1
      levels.set(key, { level: taken ? filled - 1 : filled, at: now() })
      return taken
    },
  }
}

function bucketOf(action: string): Bucket {
  return special[action] ?? (action.startsWith('Describe') ? reads : writes)
}

function isNarrowed(params: Readonly<Record<string, string>>): boolean {
  return ['Filter.1.Name', 'NetworkInterfaceId.1', 'MaxResults'].some((name) => params[name] !== undefined)
}
