/**
 * What control remembers, and the one way to change it: a `Change`, which is durable as a whole or did not happen.
 */

import type { Role } from '../config.ts'
import type { ServiceReport } from '../contract.ts'
import type { AuditEvent, Operation, Owner } from '../decision.ts'
import type { BindingWord } from '../reconcile.ts'

export type BindingRecord = {
  readonly service: string
  readonly binding: string
  readonly node: string | null
  readonly epoch: number | null
  readonly state: BindingWord
  readonly observed: string | null
  readonly attempts: number
  readonly lastError: string | null
}

/** A node as it last spoke. Written when something changes, not with every report. */
export type NodeRecord = {
  readonly node: string
  readonly site: string
  readonly incarnation: string
  readonly former: readonly string[]
  readonly sequence: number
  readonly lastReport: string
  readonly services: Readonly<Record<string, ServiceReport>>
}

/** Ids grow by exactly one; a gap means that somebody has removed lines. */
export type EventRecord = AuditEvent & { readonly id: number }

/** `hash` is the SHA-256 of the token in hexadecimal; the token itself is stored nowhere. */
export type TokenRecord = {
  readonly name: string
  readonly role: Role
  readonly node: string | null
  readonly hash: string
}

export type Change = {
  /** Refused as a whole with `StaleEpochError` unless the epoch is higher than the stored one. */
  readonly owner?: { readonly service: string; readonly owner: Owner }
  readonly bindings?: readonly BindingRecord[]
  readonly events?: readonly AuditEvent[]
  readonly operations?: readonly Operation[]
  readonly node?: NodeRecord
}

export type Stored = {
  readonly owners: Readonly<Record<string, Owner>>
  readonly nodes: readonly NodeRecord[]
  /** Operations that had not ended. */
  readonly running: readonly Operation[]
}

export type EventQuery = {
  /** Events with a higher id than this. */
  readonly since: number
  readonly limit: number
  readonly service?: string
}

export type Store = {
  load(): Stored
  /** Resolves when durable, with the numbered events. Rejects when nothing of it was stored. */
  write(change: Change): Promise<readonly EventRecord[]>
  events(query: EventQuery): EventRecord[]
  lastEventId(): number
  operation(id: string): Operation | undefined
  bindings(service: string): BindingRecord[]
  tokens(): TokenRecord[]
  /** Makes the stored tokens exactly these. */
  setTokens(tokens: readonly TokenRecord[]): Promise<void>
}

/** Somebody else has minted this epoch or a higher one: a second control on the same store, or a write that seemed to fail. */
export class StaleEpochError extends Error {
  override name = 'StaleEpochError' as const

  constructor(service: string, epoch: number) {
    super(`epoch ${epoch} of ${service} is not newer than the stored one`)
  }
}
