/**
 * What the decision about one service is made of: its state, what it hears, and what it wants done.
 *
 * Times named `…At`, `deadline` and `…From` are milliseconds on control's own monotonic clock; `since` and `at` are
 * wall-clock time for people. No decision ever compares wall-clock times.
 */

import type { ServiceConfig } from './config/service-config.ts'
import { type Command, leaseMs, type RouterState, type ServiceReport } from './contract.ts'
import type { Operation } from './operation.ts'

export type { MoveReport, Operation, OperationStep } from './operation.ts'

export type Moment = { readonly ms: number; readonly wall: string }

/** What decides about one service: its name, and of its configuration all but how its bindings are made. */
export type ServicePolicy = {
  readonly service: string
  readonly bindings: readonly string[]
  readonly probed: boolean
} & Omit<ServiceConfig, 'bindings' | 'hosts' | 'probe' | 'nodes'>

export type Owner = {
  readonly node: string
  readonly site: string
  readonly epoch: number
  readonly since: string
}

/** A node as it last spoke about this service. */
export type Member = {
  readonly node: string
  readonly site: string
  readonly incarnation: string
  /** Incarnations that a newer one has replaced: whatever still arrives from them is refused. */
  readonly former: readonly string[]
  readonly sequence: number
  readonly state: RouterState
  readonly priority: number
  readonly basePriority: number
  readonly healthy: boolean
  /** Why it is not healthy. */
  readonly fault: string | null
  /** Active whenever it is healthy, whoever else is: it takes part in no election. */
  readonly solo: boolean
  /** Told to take no part in the election, and it does not. */
  readonly yielding: boolean
  /** The highest epoch it was told. Null: its agent does not say. */
  readonly epochSeen: number | null
  readonly since: string
  /** A node that only posts has no link; `closed` is one whose link has ended and that was not heard since. */
  readonly link: 'none' | 'open' | 'closed'
  /** Null: not heard since control started, or not since it failed to answer. */
  readonly heardAt: number | null
  /** When it last spoke and was active. */
  readonly wellAt: number | null
  /** What it was told, and when, of each kind that is said again until it is heard. */
  readonly told: Readonly<Partial<Record<'lower' | 'yield' | 'owner', number>>>
  /** It failed to answer then: what it said before is not heard again. */
  readonly deafAt: number | null
}

/** While a rival is active beside an owner that looks active. Either an answer is awaited, or the next question. */
export type Confirming =
  | { readonly kind: 'asked'; readonly id: string; readonly deadline: number | null }
  | { readonly kind: 'answered'; readonly askAgainAt: number }

/** The move under way. */
export type Move = {
  readonly operation: Operation
  /** `moving` until the LAN and the owner have moved; `settling` until the bindings have. */
  readonly stage: 'moving' | 'settling'
  readonly deadline: number
  readonly toldAt: number
  /** When the operation began: what its steps count from. */
  readonly startedAt: number
  readonly detectMs: number | null
}

export type Hold = { readonly by: string; readonly reason: string | null; readonly since: string }

/** What of a decision outlives control, beside the owner, the epoch and the operation under way. */
export type Memory = {
  readonly hold: Hold | null
  /** A switchover has chosen this site over a preferred one: it keeps the service as long as it can. */
  readonly pinnedSite: string | null
  /** Moves that nobody asked for, of late; and how often in a row there were too many. */
  readonly moves: number
  readonly suppressions: number
  readonly suppressed: boolean
  /** The highest epoch that was found in a target, or that a node was told by another control. */
  readonly epochSeen: number
}

export const emptyMemory: Memory = {
  hold: null,
  pinnedSite: null,
  moves: 0,
  suppressions: 0,
  suppressed: false,
  epochSeen: 0,
}

export type Decision = {
  readonly owner: Owner | null
  /** The highest epoch ever minted for this service: it never shrinks, whoever owns. */
  readonly epoch: number
  readonly members: Readonly<Record<string, Member>>
  readonly confirming: Confirming | null
  readonly dualActive: boolean
  /** The node that was told that it is active beside the owner, and may keep out because of it; and since when. */
  readonly contested: { readonly node: string; readonly since: number } | null
  readonly move: Move | null
  readonly memory: Memory
  /** Nodes that are being emptied, and who asked for it. */
  readonly drained: Readonly<Record<string, Asked>>
  /** What the probes of a site's origin last said; a site without probes is not here. */
  readonly origins: Readonly<Record<string, boolean>>
  /** What the probe through the service's own address last said. Null: nobody looks, or has looked yet. */
  readonly reachable: boolean | null
  /** When the owner, or its site, first looked wrong. Null while it does not. */
  readonly suspect: Moment | null
  /** A preferred site that is well again, and since when without a break. */
  readonly recovering: { readonly site: string; readonly since: number } | null
  /** When, of late, the owner changed without being asked to. */
  readonly moves: readonly number[]
  /** No move that nobody asked for until then; null while they are not suppressed. */
  readonly suppressedUntil: number | null
  readonly resumedAt: number
  /** A drain that has failed is not tried again before. */
  readonly drainAt: number
  /** A higher epoch is adopted once in a run, so that two controls cannot chase each other. */
  readonly adopted: boolean
  /** Until then control has only just begun to listen, so that silence proves nothing. */
  readonly believeFrom: number
  /** Makes the ids of this run's commands unlike any other run's. */
  readonly run: string
  readonly commands: number
  /** When `decide` next wants a `tick`. */
  readonly wakeAt: number | null
}

export type ServiceEvent =
  | {
      readonly kind: 'report'
      readonly node: string
      readonly site: string
      readonly incarnation: string
      readonly sequence: number
      readonly via: 'link' | 'post'
      /** Null: the node no longer runs this service. */
      readonly report: ServiceReport | null
      readonly answers: readonly string[]
      readonly results: readonly { readonly id: string; readonly ok: boolean; readonly reason?: string | undefined }[]
    }
  | { readonly kind: 'connected' | 'disconnected'; readonly node: string }
  | { readonly kind: 'tick' }
  /** Control itself stood still, so that it could not hear anybody. */
  | { readonly kind: 'stalled' }
  /** Every binding was read back at this epoch. */
  | { readonly kind: 'settled'; readonly epoch: number }
  | ({ readonly kind: 'switchover'; readonly id: string; readonly to: string | null } & Asked)
  | ({ readonly kind: 'hold' | 'release' } & Asked)
  /** A node is to be emptied, or may take part again. `id`: of the operation that may follow. */
  | ({ readonly kind: 'drain' | 'undrain'; readonly id: string; readonly node: string } & Asked)
  /** An operator has looked at a target with a higher epoch: go on above it. */
  | ({ readonly kind: 'acknowledge' } & Asked)
  /** A target carries an epoch that this control never minted. */
  | { readonly kind: 'superseded'; readonly binding: string; readonly epochSeen: number }
  /** A binding's provider has accepted a change, or the binding was read back as wanted. */
  | { readonly kind: 'accepted' | 'visible'; readonly binding: string; readonly epoch: number }
  /** The probe through the service's own address has succeeded, or failed, once more than it is borne. */
  | { readonly kind: 'seen'; readonly reachable: boolean }
  /** The probes of a site's origin have changed their mind. */
  | { readonly kind: 'origin'; readonly site: string; readonly healthy: boolean }

/** Who asked, by the name of a token, and why. */
export type Asked = { readonly by: string; readonly reason: string | null }

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** One line of the audit trail; the store gives it its number. */
export type AuditEvent = {
  readonly at: string
  readonly kind: string
  readonly service: string | null
  readonly node: string | null
  readonly epoch: number | null
  readonly text: string
  readonly detail: { readonly [key: string]: Json }
}

export type OwnReason =
  /** There was no owner. */
  | 'first'
  | 'owner-not-active'
  | 'owner-disconnected'
  | 'owner-silent'
  | 'no-answer'
  | 'switchover'
  | 'drain'
  /** The owner's site does not answer to control's probes. */
  | 'origin-down'
  /** A preferred site is well again. */
  | 'preferred-site'
  /** An operator, or the configuration, let control go on above a higher epoch that was found. */
  | 'adopted'

/**
 * Performed in list order, and nothing that leaves the process (`command`) before everything durable (`own`,
 * `operation`, `remember`, `event`) of the same step is on disk. Each may safely be performed twice.
 */
export type Effect =
  | { readonly kind: 'own'; readonly owner: Owner; readonly reason: OwnReason }
  | { readonly kind: 'operation'; readonly operation: Operation }
  | { readonly kind: 'remember'; readonly memory: Memory }
  | { readonly kind: 'event'; readonly event: AuditEvent }
  | { readonly kind: 'command'; readonly node: string; readonly command: Command }
  /** The event was not taken, and changed nothing. */
  | { readonly kind: 'refused'; readonly why: Refusal }

export type Refusal = { readonly code: RefusalCode; readonly detail: string }
export type RefusalCode =
  | 'former-incarnation'
  | 'unknown-node'
  | 'already-owner'
  | 'not-ready'
  | 'in-progress'
  | 'nobody'
  | 'outranked'
  | 'held'
  | 'not-held'
  | 'drained'
  | 'higher-epoch'
  | 'nothing-to-acknowledge'

export type Step = { readonly state: Decision; readonly effects: readonly Effect[] }

export type Beginning = {
  readonly owner: Owner | null
  readonly epoch: number
  /** What each node last said before control stopped; none of it counts as heard, unless its link outlived the start. */
  readonly members?: readonly Member[]
  readonly memory?: Memory
  readonly drained?: Readonly<Record<string, Asked>>
  /** A move that was under way. */
  readonly operation?: Operation | null
  readonly flap?: ServicePolicy['flap']
  readonly run: string
  readonly now: Moment
  /** Control did not stop, it only slept, so that whoever is silent is silent. */
  readonly awake?: boolean
}

/** The state in which control begins to listen for one service. */
export function beginDecision(beginning: Beginning): Decision {
  const { owner, epoch, members = [], memory = emptyMemory, drained = {}, flap, run, now, awake = false } = beginning
  const move = resumeMove(beginning)
  const suppressedUntil =
    memory.suppressed && flap !== undefined ? now.ms + holdDownOf(flap, memory.suppressions) : null
  return {
    owner,
    epoch: Math.max(epoch, owner?.epoch ?? 0),
    members: Object.fromEntries(members.map((member) => [member.node, member])),
    confirming: null,
    dualActive: false,
    contested: null,
    move,
    memory,
    drained,
    origins: {},
    reachable: null,
    suspect: null,
    recovering: null,
    // When they were is not known any more: they count as of now, so that a restart is no way around the bound.
    moves: Array.from({ length: memory.moves }, () => now.ms),
    suppressedUntil,
    resumedAt: Number.NEGATIVE_INFINITY,
    drainAt: Number.NEGATIVE_INFINITY,
    adopted: false,
    believeFrom: awake ? Number.NEGATIVE_INFINITY : now.ms + leaseMs,
    run,
    commands: 0,
    wakeAt: move?.deadline ?? suppressedUntil,
  }
}

function resumeMove({ operation, owner, now }: Beginning): Move | null {
  if (operation?.status !== 'running') return null
  const stage = owner?.node === operation.to ? 'settling' : 'moving'
  const deadline = now.ms + (stage === 'moving' ? movingMs : settlingMs)
  const began = operation.steps[0]?.at
  // Only the wall clock spans a restart; it may be off, and is for people here.
  const ranMs = began === undefined ? 0 : Math.max(0, Date.parse(now.wall) - Date.parse(began))
  return { operation, stage, deadline, toldAt: Number.NEGATIVE_INFINITY, startedAt: now.ms - ranMs, detectMs: null }
}

/** How long the nth suppression in a row lasts, in milliseconds: each twice as long as the one before, up to an hour. */
export function holdDownOf({ holdDownMs }: ServicePolicy['flap'], nth: number): number {
  return Math.min(3_600_000, holdDownMs * 2 ** Math.max(0, nth - 1))
}

/** How long a move that was asked for may take until the target owns, in milliseconds. */
export const movingMs = 10_000
/** How long the bindings may take after that until the operation is called failed, in milliseconds. They go on being tried. */
export const settlingMs = 60_000

/** Whether a node was heard so lately, and over a link that still stands, that its last report is believed. */
export function isFresh(member: Member, now: Moment): boolean {
  return member.link !== 'closed' && member.heardAt !== null && now.ms - member.heardAt <= leaseMs
}

/** What the owner looks like. `presumed`: it was not heard yet, but control has not listened long enough to say so. */
export type Look = 'active' | 'presumed' | 'not-active' | 'disconnected' | 'silent'

export function ownerLook(state: Decision, now: Moment): Look | null {
  if (state.owner === null) return null
  const member = state.members[state.owner.node]
  if (member === undefined || member.heardAt === null) return isAwaited(state, member, now) ? 'presumed' : 'silent'
  if (member.state !== 'active') return 'not-active'
  if (isFresh(member, now)) return 'active'
  if (isAwaited(state, member, now)) return 'presumed'
  return member.link === 'closed' ? 'disconnected' : 'silent'
}

/**
 * Rule 6: whether a node may simply not have come back yet, since control has only just begun to listen. One that has
 * been heard since then is back, and its silence means what it always means.
 */
export function isAwaited({ believeFrom }: Decision, member: Member | undefined, now: Moment): boolean {
  const heardAt = member?.heardAt ?? null
  return now.ms < believeFrom && (heardAt === null || heardAt < believeFrom - leaseMs)
}

/** Whether a report is news. Numbers order the reports of one incarnation; nothing but arrival orders incarnations. */
export function admit(
  known: { readonly incarnation: string; readonly former: readonly string[]; readonly sequence: number } | undefined,
  report: { readonly incarnation: string; readonly sequence: number },
): 'new' | 'repeat' | 'former' {
  if (known === undefined) return 'new'
  if (known.former.includes(report.incarnation)) return 'former'
  if (known.incarnation !== report.incarnation) return 'new'
  return report.sequence > known.sequence ? 'new' : 'repeat'
}

/** The former incarnations of a node whose present one is replaced by `incarnation`. */
export function formerOf(
  known: { readonly incarnation: string; readonly former: readonly string[] } | undefined,
  incarnation: string,
): readonly string[] {
  if (known === undefined) return []
  return known.incarnation === incarnation ? known.former : [...known.former, known.incarnation].slice(-16)
}
