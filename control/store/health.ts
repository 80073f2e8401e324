/** Notices whether a store takes what it is given: the last write says. For readiness, which a full disk must end. */
import { StaleEpochError, type Store } from './store.ts'

export type WatchedStore = Store & {
  /** Why the last write failed; null when it did not. */
  trouble(): string | null
}

export function watchStore(store: Store): WatchedStore {
  let trouble: string | null = null
  const watched = <Args extends readonly unknown[], T>(write: (...args: Args) => Promise<T>) => {
    return async (...args: Args): Promise<T> => {
      try {
        const written = await write(...args)
        trouble = null
        return written
      } catch (error) {
        // That one is a decision of the store's, and no failure.
        if (!(error instanceof StaleEpochError)) trouble = error instanceof Error ? error.message : String(error)
        throw error
      }
    }
  }
  return {
    ...store,
    write: watched(store.write),
    setTokens: watched(store.setTokens),
    addToken: watched(store.addToken),
    removeToken: watched(store.removeToken),
    prune: watched(store.prune),
    trouble: () => trouble,
  }
}
