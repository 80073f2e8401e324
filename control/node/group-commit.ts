/**
 * Writes in groups: everything asked for within one turn of the event loop shares one transaction, each part in its own
 * savepoint, so that many reports that arrive together cost one flush of the disk.
 *
 * A part that fails takes none of the others with it. When the disk fails the whole transaction, nobody's part was
 * stored, and each is tried once more alone: a disk with little room may take the small ones.
 */
import type { Sql } from '../store/sql.ts'

export type GroupCommitInput = {
  readonly tx: Sql['tx']
  inTransaction(): boolean
}

export type GroupCommit = {
  readonly write: Sql['write']
  /** Commits now what is waiting. */
  flush(): void
}

type Waiting = {
  /** Does the work; false when it failed. */
  run(): boolean
  /** Undefined: the transaction was committed. */
  settle(failure: unknown): void
}

export function groupCommit({ tx, inTransaction }: GroupCommitInput): GroupCommit {
  let waiting: Waiting[] = []

  const commit = (group: readonly Waiting[]): unknown => {
    try {
      tx(() => {
        for (const { run } of group) {
          // The next part would otherwise be committed by itself, and this group reported as not stored.
          if (!run() && !inTransaction()) throw new Error('the transaction was rolled back')
        }
      })
      return undefined
    } catch (error) {
      return error ?? new Error('the transaction failed')
    }
  }

  const flush = (): void => {
    const group = waiting
    waiting = []
    if (group.length === 0) return
    const failure = commit(group)
    if (failure === undefined || group.length === 1) for (const { settle } of group) settle(failure)
    else for (const part of group) part.settle(commit([part]))
  }

  const write = <T>(work: () => T): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      let result: { value: T } | { error: unknown } | undefined
      const run = (): boolean => {
        try {
          result = { value: tx(work) }
          return true
        } catch (error) {
          result = { error }
          return false
        }
      }
      const settle = (failure: unknown): void => {
        // The part's own error says more than that its transaction is gone.
        if (result !== undefined && 'error' in result) reject(result.error)
        else if (failure !== undefined || result === undefined) reject(failure)
        else resolve(result.value)
      }
      if (waiting.push({ run, settle }) === 1) setImmediate(flush)
    })

  return { write, flush }
}
