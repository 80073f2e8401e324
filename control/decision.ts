/**
 * What the decision about one service is made of: its state, what it hears, and what it wants done.
 *
 * Times named `…At`, `deadline` and `…From` are milliseconds on control's own monotonic clock; `since` and `at` are
 * wall-clock time for people. No decision ever compares wall-clock times.
 */
import { type Command, leaseMs, type RouterState, type ServiceReport } from './contract.ts'

export type Moment = { readonly ms: number; readonly wall: string }

export type ServicePolicy = {
  readonly service: string
  /** How long the present owner is asked before a rival is believed, in milliseconds. */
  readonly confirmMs: number
}

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
  readonly since: string
  /** A node that only posts has no link; `closed` is one whose link has ended and that was not heard since. */
  readonly link: 'none' | 'open' | 'closed'
  /** Null: not heard since control started, or not since it failed to answer. */
  readonly heardAt: number | null
  readonly loweredAt: number | null
}

/** While a rival is active beside an owner that looks active. Either an answer is awaited, or the next question. */
export type Confirming =
  | { readonly kind: 'asked'; readonly id: string; readonly deadline: number | null }
  | { readonly kind: 'answered'; readonly askAgainAt: number }

export type Operation = {
  readonly id: string
  readonly kind: 'switchover'
  readonly service: string
  readonly from: string | null
  readonly to: string
  /** What the target was told to advertise. */
  readonly priority: number
  readonly reason: string | null
  /** The name of the token that asked for it. */
  readonly by: string
  readonly status: 'running' | 'done' | 'failed'
  readonly steps: readonly { readonly name: StepName; readonly at: string }[]
  readonly failure: string | null
}

export type StepName =
  | 'requested'
  | 'told'
  | 'target active'
  | 'old owner not active'
  | 'owner moved'
  | 'settled'
  | 'failed'

export type Switchover = {
  readonly operation: Operation
  /** `moving` until the LAN and the owner have moved; `settling` until the bindings have. */
  readonly stage: 'moving' | 'settling'
  readonly deadline: number
  readonly toldAt: number
}

export type Decision = {
  readonly owner: Owner | null
  /** The highest epoch ever minted for this service: it never shrinks, whoever owns. */
  readonly epoch: number
  readonly members: Readonly<Record<string, Member>>
  readonly confirming: Confirming | null
  readonly dualActive: boolean
  readonly switchover: Switchover | null
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
  | {
      readonly kind: 'switchover'
      readonly id: string
      readonly to: string | null
      readonly reason: string | null
      readonly by: string
    }

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
  | 'first'
  | 'owner-not-active'
  | 'owner-disconnected'
  | 'owner-silent'
  | 'no-answer'
  | 'switchover'

/**
 * Performed in list order, and nothing that leaves the process (`ask`, `command`) before everything durable (`own`,
 * `operation`, `event`) of the same step is on disk. Each may safely be performed twice.
 */
export type Effect =
  | { readonly kind: 'own'; readonly owner: Owner; readonly reason: OwnReason }
  | { readonly kind: 'operation'; readonly operation: Operation }
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

export type Step = { readonly state: Decision; readonly effects: readonly Effect[] }

export type Beginning = {
  readonly owner: Owner | null
  readonly epoch: number
  /** What each node last said before control stopped; none of it counts as heard. */
  readonly members?: readonly Member[]
  /** A switchover that was under way. */
  readonly operation?: Operation | null
  readonly run: string
  readonly now: Moment
}

/** The state in which control begins to listen for one service. */
export function beginDecision({ owner, epoch, members = [], operation, run, now }: Beginning): Decision {
  const running = operation?.status === 'running' ? operation : null
  const stage = running !== null && owner?.node === running.to ? 'settling' : 'moving'
  const deadline = now.ms + (stage === 'moving' ? movingMs : settlingMs)
  return {
    owner,
    epoch: Math.max(epoch, owner?.epoch ?? 0),
    members: Object.fromEntries(members.map((member) => [member.node, { ...member, link: 'closed', heardAt: null }])),
    confirming: null,
    dualActive: false,
    switchover: running === null ? null : { operation: running, stage, deadline, toldAt: Number.NEGATIVE_INFINITY },
    believeFrom: now.ms + leaseMs,
    run,
    commands: 0,
    wakeAt: running === null ? null : deadline,
  }
}

/** How long a switchover may take until the target owns, in milliseconds. */
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
