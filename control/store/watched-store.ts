/**
 * A store that knows whether it can store: it says so once when it cannot, tries again by itself, and says when it can.
 */
import type { ClusterPorts } from '../core/ports.ts'
import { StorageError, type Store } from './store.ts'

export type WatchedStore = Store & {
  /** Why nothing can be stored now. Null: it can, as far as anybody knows. */
  trouble(): StorageError | null
}

/** While nothing can be stored, how often that is tried, in milliseconds. */
const tryEveryMs = 1_000

export function watchStore(
  store: Store,
  { timer, clock, log }: Pick<ClusterPorts, 'timer' | 'clock' | 'log'>,
): WatchedStore {
  let trouble: StorageError | null = null
  let since = 0
  let cancel = (): void => undefined

  const fail = (error: unknown): void => {
    if (!(error instanceof StorageError)) return
    if (trouble?.trouble !== error.trouble) {
      log('error', { event: 'storage-failed', trouble: error.trouble, msg: error.message })
    }
    if (trouble === null) {
      since = clock.now()
      tryLater()
    }
    trouble = error
  }
  const succeed = (): void => {
    if (trouble === null) return
    trouble = null
    cancel()
    const afterMs = Math.round(clock.now() - since)
    log('info', { event: 'storage-works', afterMs, msg: 'the database can be written again' })
  }
  const tryLater = (): void => {
    cancel()
    cancel = timer.at(clock.now() + tryEveryMs, () => {
      store.touch().then(succeed, (error: unknown) => {
        fail(error)
        tryLater()
      })
    })
  }
  const watched = async <T>(result: Promise<T>): Promise<T> => {
    try {
      const value = await result
      succeed()
      return value
    } catch (error) {
      fail(error)
      throw error
    }
  }
  return {
    ...store,
    write: (change) => watched(store.write(change)),
    setTokens: (origin, tokens) => watched(store.setTokens(origin, tokens)),
    addToken: (token) => watched(store.addToken(token)),
    removeToken: (id) => watched(store.removeToken(id)),
    prune: (limits) => watched(store.prune(limits)),
    trouble: () => trouble,
  }
}
