/**
 * What control remembers, and the one way to change it: a `Change`, which is durable as a whole or did not happen.
 */

import type { BindingWord } from '../binding.ts'
import type { Role } from '../config/config.ts'
import type { ServiceReport } from '../contract.ts'
import type { AuditEvent, Hold, Memory, Operation, Owner } from '../decision.ts'

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

/** `hash` is the SHA-256 of the token in hexadecimal; the token itself is stored nowhere. Several may share a name. */
export type TokenRecord = {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly node: string | null
  readonly hash: string
  /** `file`: from the configuration, and gone when it is gone there. */
  readonly origin: 'file' | 'api'
  readonly createdAt: string
  /** Wall-clock time from which it is refused. Null: never. */
  readonly expiresAt: string | null
}

/** A service that was declared over the API; `text` is the JSON that was given, checked. */
export type DeclarationRecord = {
  readonly service: string
  /** Grows with every change. */
  readonly version: number
  readonly text: string
  readonly by: string
  readonly at: string
}

/** A node that is drained: since when, by whom, why. */
export type DrainRecord = { readonly node: string } & Hold

export type Change = {
  /** Refused as a whole with `StaleEpochError` unless the epoch is higher than the stored one. */
  readonly owner?: { readonly service: string; readonly owner: Owner }
  readonly bindings?: readonly BindingRecord[]
  readonly events?: readonly AuditEvent[]
  readonly operations?: readonly Operation[]
  readonly node?: NodeRecord
  readonly memory?: { readonly service: string; readonly memory: Memory }
  /** `drain` null: the node takes part again. */
  readonly drain?: { readonly node: string; readonly drain: Hold | null }
  /** `record` null: the service is forgotten, with its bindings; its epoch is kept, so that it never shrinks. */
  readonly declaration?: { readonly service: string; readonly record: DeclarationRecord | null }
}

export type Stored = {
  readonly owners: Readonly<Record<string, Owner>>
  /** The highest epoch ever minted for each service, also for one that has been forgotten. */
  readonly epochs: Readonly<Record<string, number>>
  readonly memories: Readonly<Record<string, Memory>>
  readonly drains: readonly DrainRecord[]
  readonly declarations: readonly DeclarationRecord[]
  readonly nodes: readonly NodeRecord[]
  /** Operations that had not ended. */
  readonly running: readonly Operation[]
}

export type StoredService = Pick<Stored, 'owners' | 'epochs' | 'memories' | 'running'>

export type EventQuery = {
  /** Events with a higher id than this. */
  readonly since: number
  readonly limit: number
  readonly service?: string
}

/** Nothing older than `before` (wall-clock time), and at most so many of each. Running operations stay. */
export type Prune = { readonly before: string; readonly events: number; readonly operations: number }

export type Store = {
  load(): Stored
  /** What is stored of one service: the same as `load` says of it, without reading all the others. */
  recall(service: string): StoredService
  /** Resolves when durable, with the numbered events. Rejects when nothing of it was stored. */
  write(change: Change): Promise<readonly EventRecord[]>
  events(query: EventQuery): EventRecord[]
  lastEventId(): number
  /** The id of the oldest event that is kept; 0 without any. */
  firstEventId(): number
  operation(id: string): Operation | undefined
  /** The newest first. */
  operations(query: { readonly service?: string; readonly limit: number }): Operation[]
  bindings(service: string): BindingRecord[]
  tokens(): TokenRecord[]
  /** Makes the stored tokens of this origin exactly these. */
  setTokens(origin: TokenRecord['origin'], tokens: readonly TokenRecord[]): Promise<void>
  addToken(token: TokenRecord): Promise<void>
  /** False when there was none. */
  removeToken(id: string): Promise<boolean>
  /** Writes something and takes it back: rejects when nothing can be stored. */
  touch(): Promise<void>
  /** Removes at most some thousand rows, so that nobody waits long. True when there may be more to remove. */
  prune(limits: Prune): Promise<boolean>
}

/** Why nothing can be stored: the disk has no room, another program has locked the file, or the disk or file is broken. */
export type StorageTrouble = 'full' | 'locked' | 'broken'

/** Nothing of the change was stored, and not because of what it says. The message says what to do. */
export class StorageError extends Error {
  override name = 'StorageError' as const
  readonly trouble: StorageTrouble

  constructor(trouble: StorageTrouble, cause: Error) {
    super(
      storageMessages[trouble].replace('%', () => cause.message),
      { cause },
    )
    this.trouble = trouble
  }
}

const storageMessages: Readonly<Record<StorageTrouble, string>> = {
  full: 'the disk under the database is full, and nothing was stored: make room there',
  locked: 'another program has locked the database, and nothing was stored: end that program',
  broken: 'the database does not work (%): look at its disk, and at the log of the kernel',
}

/** Somebody else has minted this epoch or a higher one: a second control on the same store, or a write that seemed to fail. */
export class StaleEpochError extends Error {
  override name = 'StaleEpochError' as const

  constructor(service: string, epoch: number) {
    super(`epoch ${epoch} of ${service} is not newer than the stored one`)
  }
}
