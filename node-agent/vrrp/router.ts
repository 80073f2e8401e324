/**
 * What a virtual router is, hears and does (RFC 9568 §6.1 to §6.3).
 *
 *                 startup, priority 255
 *   initialize ────────────────────────────▶ active ──shutdown──▶ resigning
 *       │  startup        activeDownAt │▲      │ outranked            │ successor heard, or its longest
 *       └──────────────▶ backup ───────┘└──────┘ or overslept         ▼ skew is over
 *                          ▲            take-over                 initialize
 *                          └───────────────────── (or backup: told to yield, or our own process crashed)
 */
import type { Address, Family, Prefix } from '../wire/address.ts'
import type { ChecksumForm } from '../wire/vrrp.ts'
import type { Centiseconds, Instant, Microseconds } from './time.ts'

/** One (interface, VRID, address family), as configured. */
export type VirtualRouter = {
  /** The service's name, for people. */
  readonly name: string
  readonly interface: string
  /** Whose addresses it advertises, and by which IP its advertisements go. */
  readonly family: Family
  /** 2 (RFC 3768) speaks IPv4 only. */
  readonly version: 2 | 3
  /** 1..255. */
  readonly vrid: number
  /** 1..254, or 255 for the address owner. */
  readonly priority: number
  readonly preemptMode: boolean
  /** How long after becoming backup we hold back from preempting an active of lower priority. 0: not at all. */
  readonly preemptDelay: Microseconds
  /** How long after its start it takes no part, so that the machine and its switch come up first. 0: not at all. */
  readonly startDelay: Microseconds
  /** 1..4095; whole seconds in version 2. */
  readonly advertisementInterval: Centiseconds
  /** How many intervals of silence make the active router down: 3 in the RFC. */
  readonly downMultiplier: number
  /** All of `family`, as they are advertised; of IPv6 the first is link-local. */
  readonly addresses: readonly Prefix[]
  /** Of the other family, or more than advertisements can name: they come and go with `addresses`. */
  readonly riders: readonly Prefix[]
  /** What we send in version 3 over IPv4. */
  readonly checksum: ChecksumForm
  /** What we accept there. */
  readonly acceptChecksum: ChecksumForm | 'auto'
  /** `strict`: the RFCs' letter where peers differ from it; `interop` accepts, and says what is odd. */
  readonly profile: 'strict' | 'interop'
  /** Version 2's password in clear (RFC 2338 §5.3.6.1): eight octets. Null: none. */
  readonly password: Uint8Array | null
  readonly transport: Transport
  /** Advertisements and addresses have the RFC's MAC address, on a device of its own, instead of the interface's. */
  readonly virtualMac: boolean
  readonly announce: Announce
  /** `handover`: after priority 0 go on answering until the successor is heard. `now`: remove the addresses at once (the RFC's letter). */
  readonly resign: 'handover' | 'now'
}

export type Transport =
  | { readonly kind: 'multicast' }
  /** To each peer, and heard from these only. */
  | {
      readonly kind: 'unicast'
      /** Null: the interface's first address that fits. */
      readonly source: Address | null
      readonly peers: readonly Address[]
      /** What we send: 1..255. */
      readonly ttl: number
      /** The least that is accepted: 1..255. */
      readonly minTtl: number
    }

/** Every address that comes and goes with the router. */
export function allAddresses({ addresses, riders }: VirtualRouter): readonly Prefix[] {
  return riders.length === 0 ? addresses : [...addresses, ...riders]
}

/**
 * What the agent says of a router from outside VRRP: its checks, control and its operators. A level, replaced whole.
 * An address owner has only the plain one: whatever is said, its addresses stay on the machine.
 */
export type Standing = {
  /** What the checks leave of the configured priority: 1..254 (255: the address owner's). */
  readonly priority: number
  /** It takes no part in the election: it hands over when active, and stays backup. */
  readonly yielding: boolean
  /** Why it may not carry the service at all; null when it may. */
  readonly fault: string | null
}

/** How often hosts and switches are told where the addresses are (gratuitous ARP). */
export type Announce = {
  /** Announcements in a burst: 1..255. */
  readonly repeat: number
  /** When the second burst follows the first. 0: never. */
  readonly again: Microseconds
  /** How often one more follows after that. 0: never. */
  readonly refresh: Microseconds
}

/**
 * A timer is a deadline held by the one state that needs it, so leaving the state cancels it.
 *
 * `startsAt`: it is told to start, and waits for its start delay.
 */
export type Initialize = { readonly kind: 'initialize'; readonly startsAt?: Instant }

export type Backup = {
  readonly kind: 'backup'
  readonly activeDownAt: Instant
  /** Learned from the active router; decides how long its silence is borne. */
  readonly activeAdverInterval: Centiseconds
  /** We were active until a moment ago and still answer, until the successor's announcement has surely arrived everywhere. */
  readonly answersUntil?: Instant
  /** Not before this do we preempt an active of lower priority. */
  readonly preemptAt?: Instant
}

export type Active = {
  readonly kind: 'active'
  readonly adverAt: Instant
  /** Set while a take-over has lifted us above our configured priority. */
  readonly raisedTo?: number
  /** Announcements made since `announcedFrom`; with it they say when the next is due. */
  readonly announced: number
  readonly announcedFrom: Instant
  /** When we last answered a losing advertisement; replies are rate limited. */
  readonly repliedAt?: Instant
}

export type Resigning = {
  readonly kind: 'resigning'
  /** Addresses are removed then: shortly after the successor was heard, or when none can be expected any more. */
  readonly answersUntil: Instant
  readonly successorHeard: boolean
  /** What comes after: `backup` when it yields, or when it was our process that crashed and we are to take part again. */
  readonly afterwards: 'initialize' | 'backup'
}

export type State = Initialize | Backup | Active | Resigning

/** `advertisement` has already passed every check of §7.1. */
export type Event =
  /**
   * `holding`: a former process of ours was active here and its addresses are still installed. `first`: the agent has
   * just started, so that the router's start delay counts.
   */
  | { readonly kind: 'startup'; readonly holding?: boolean; readonly first?: boolean }
  /** Leave politely, as configured by `resign`. */
  | { readonly kind: 'shutdown' }
  /** The interface can't carry us: leave at once; nobody can hear us. */
  | { readonly kind: 'fault' }
  | { readonly kind: 'tick' }
  /** The machine was suspended, and the clock that deadlines are on stood still for so long. */
  | { readonly kind: 'slept'; readonly for: Microseconds }
  | {
      readonly kind: 'advertisement'
      readonly source: Address
      readonly priority: number
      readonly maxAdvertiseInterval: Centiseconds
    }
  /** An operator moves the service here: outrank the active router at `priority`. */
  | { readonly kind: 'take-over'; readonly priority: number }
  /** Back to the configured priority. */
  | { readonly kind: 'lower' }
  /** `router.yielding` has changed. `atOnce`: there is no time left to wait for a successor. */
  | { readonly kind: 'yield'; readonly atOnce?: boolean }
  /** `router.priority` has changed; it was `was`. */
  | { readonly kind: 'priority'; readonly was: number }
  /** Somebody else removed one of our addresses from the interface. */
  | { readonly kind: 'address-lost' }

/** Performed in list order. Each may safely be performed twice. */
export type Effect =
  | { readonly kind: 'send-advertisement'; readonly priority: number }
  | { readonly kind: 'install-addresses' | 'remove-addresses' }
  /** Gratuitous ARP for every address. */
  | { readonly kind: 'announce-addresses' }

/** `reason` says why the state changed, for the log; undefined while it did not. */
export type Step = { readonly state: State; readonly effects: readonly Effect[]; readonly reason?: string }
