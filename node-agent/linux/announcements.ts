/**
 * Announcements of addresses that have just been installed, held back until the kernel answers for them.
 *
 * Linux takes an IPv4 address at once. For one of IPv6 it makes the route to itself in a worker of its own, a millisecond
 * or some later: a host that was told before would send into the void, while the former active router still answers.
 * The kernel says by rtnetlink when it is at it.
 */
import type { AddressChange, Announcement } from '../ports.ts'
import { after, type Instant, milliseconds } from '../vrrp/time.ts'
import { familyOf, sameAddress } from '../wire/address.ts'

export type Announcements = {
  /** Sends what can be sent now, and keeps the rest. */
  readonly announce: (announcements: readonly Announcement[], now: Instant) => void
  /** Addresses that are taken away are not announced any more. */
  readonly forget: (changes: readonly AddressChange[]) => void
  /** Sends what has become due. */
  readonly look: (now: Instant) => void
  /** When to look at the latest; undefined while nothing is kept. */
  readonly deadline: () => Instant | undefined
}

type Kept = { readonly announcement: Announcement; dueAt: Instant; seen: boolean }

/** The kernel tells of the address before it makes the route, in one go. */
const routeTakes = milliseconds(1)
/** Less than a former active router goes on answering. */
const longestWait = milliseconds(15)

export function createAnnouncements(
  send: (announcements: readonly Announcement[]) => void,
  isThere: (announcement: Announcement) => boolean,
): Announcements {
  let kept: Kept[] = []
  const look = (now: Instant): void => {
    if (kept.length === 0) return
    for (const each of kept) {
      if (each.seen || !isThere(each.announcement)) continue
      each.seen = true
      const ready = after(now, routeTakes)
      if (ready < each.dueAt) each.dueAt = ready
    }
    const due = kept.filter(({ dueAt }) => dueAt <= now)
    if (due.length === 0) return
    kept = kept.filter(({ dueAt }) => dueAt > now)
    send(due.map(({ announcement }) => announcement))
  }
  return {
    announce(announcements, now) {
      const isReady = (each: Announcement): boolean => familyOf(each.address) === 'ipv4' || isThere(each)
      const ready = announcements.filter(isReady)
      if (ready.length > 0) send(ready)
      for (const announcement of announcements)
        if (!isReady(announcement)) kept.push({ announcement, dueAt: after(now, longestWait), seen: false })
    },
    forget(changes) {
      if (kept.length === 0) return
      kept = kept.filter(({ announcement }) => !changes.some((change) => takesAway(change, announcement)))
    },
    look,
    deadline() {
      let first: Instant | undefined
      for (const { dueAt } of kept) if (first === undefined || dueAt < first) first = dueAt
      return first
    },
  }
}

function takesAway({ kind, prefix, ...place }: AddressChange, { address, ...other }: Announcement): boolean {
  const samePlace = place.interface === other.interface && (place.mac === null) === (other.mac === null)
  return kind === 'delete' && samePlace && sameAddress(prefix.address, address)
}
