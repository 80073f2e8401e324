/** What the real-time process needs from outside. Linux implements it; the simulator does too. */
import type { Oddity } from './vrrp/admit.ts'
import type { Outgoing, Place } from './vrrp/datagrams.ts'
import type { Input } from './vrrp/engine.ts'
import type { Standing, VirtualRouter } from './vrrp/router.ts'
import type { Output, ServiceStatus } from './vrrp/slot.ts'
import type { Instant } from './vrrp/time.ts'
import type { Address, Prefix } from './wire/address.ts'

export type AddressChange = Place & { readonly kind: 'add' | 'delete'; readonly prefix: Prefix }

/** Hosts are to learn that `address` is at the place's MAC address: by gratuitous ARP or unsolicited NA. */
export type Announcement = Place & { readonly address: Address }

export type VrrpPorts = {
  readonly now: () => Instant
  /** Everything that is queued now, without waiting. */
  readonly drain: () => Input[]
  /** Blocks until something is queued or `deadline` has come. Undefined: until something is queued. */
  readonly wait: (deadline: Instant | undefined) => void
  /** All advertisements of one turn, in order. A link that can't take one loses it: the next one follows. */
  readonly sendAdvertisements: (outgoing: readonly Outgoing[]) => void
  /** All changes of one turn in one batch. Adding what is there and deleting what is not succeeds. */
  readonly changeAddresses: (changes: readonly AddressChange[]) => void
  /** All announcements of one turn. */
  readonly announce: (announcements: readonly Announcement[]) => void
  readonly publish: (message: FromVrrp) => void
}

/** The exit code of a VRRP process that said `refused`. */
export const refusedExitCode = 3

/** What the VRRP process runs, and what is said of it. */
export type Routers = {
  readonly routers: readonly VirtualRouter[]
  /** What is said of each service now. */
  readonly standings: Readonly<Record<string, Standing>>
  /** Until when each service may be served, in milliseconds since boot; null, or not named: without bound. */
  readonly leases: Readonly<Record<string, number | null>>
}

/** Supervisor to the VRRP process, one JSON line each. The first one configures; the pipe's end means resign. */
export type ToVrrp =
  | ({
      readonly kind: 'configure'
      /** Services whose addresses a process that has just crashed left installed. */
      readonly holding: readonly string[]
      readonly realtime: boolean
      /** Beside the agent's socket: where what was changed on interfaces is recorded, to be put back. */
      readonly record: string
      /** The agent itself has just started, so that start delays count. */
      readonly first: boolean
    } & Routers)
  /**
   * All routers there are now: whoever is the same goes on undisturbed, whoever is gone resigns. Answered by
   * `reconfigured` with the same id.
   */
  | ({ readonly kind: 'reconfigure'; readonly id: string } & Routers)
  | { readonly kind: 'take-over'; readonly id: string; readonly service: string; readonly priority: number }
  | { readonly kind: 'lower'; readonly id: string; readonly service: string }
  | { readonly kind: 'standing'; readonly id: string | null; readonly service: string; readonly standing: Standing }
  /** Replaces what was said of the service before. The process yields by itself then: its supervisor may be asleep. */
  | { readonly kind: 'lease'; readonly service: string; readonly until: number | null }
  /** Answered by `status` with the same id, so that a hung process is not taken for a live one. */
  | { readonly kind: 'status'; readonly id: string }
  | { readonly kind: 'stop' }

/** A line from the VRRP process. `saidAt`, milliseconds since boot: either side may have slept since. */
export type SaidByVrrp = { readonly saidAt: number; readonly message: FromVrrp }

/** What the VRRP process says to its supervisor. */
export type FromVrrp =
  | { readonly kind: 'started'; readonly realtime: boolean; readonly cleaned: readonly string[] }
  | { readonly kind: 'warning'; readonly message: string }
  /** It can't work here and will not after a restart either; it exits with code 3. */
  | { readonly kind: 'refused'; readonly message: string }
  /** `at`: when it happened, on the monotonic clock, which supervisor and process share. */
  | (Extract<Output, { kind: 'transition' }> & { readonly at: Instant })
  | { readonly kind: 'answer'; readonly id: string; readonly ok: boolean; readonly reason?: string }
  | { readonly kind: 'reconfigured'; readonly id: string }
  | { readonly kind: 'announced'; readonly service: string; readonly addresses: number; readonly at: Instant }
  /** Somebody else had removed the address, and it is back. */
  | { readonly kind: 'restored'; readonly service: string; readonly address: string }
  | { readonly kind: 'odd'; readonly service: string; readonly oddity: Oddity; readonly source: string }
  | { readonly kind: 'late'; readonly service: string; readonly byMs: number }
  | {
      readonly kind: 'status'
      /** Null when it was sent because something changed: then of those services only. */
      readonly id: string | null
      readonly services: Readonly<Record<string, ServiceStatus>>
      readonly discards: Readonly<Record<string, Readonly<Record<string, number>>>>
    }
