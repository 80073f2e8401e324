/**
 * The tokens that control knows: those of its configuration, and those made over the API.
 *
 * They are read from the store once and kept in memory, since every request asks; whoever changes them does so here.
 * A token that is revoked or has expired is refused from then on, and what was opened with it is ended.
 */

import type { Clock } from '../core/ports.ts'
import type { Store, TokenRecord } from '../store/store.ts'
import { type Authenticate, createAuthenticate, type Digest, hashToken, hex, shortHash } from './auth.ts'

export type Tokens = {
  readonly authenticate: Authenticate
  /** Sorted by name; also those that have expired and were not yet cleared away. */
  list(): readonly TokenRecord[]
  isValid(id: string): boolean
  add(token: TokenRecord): Promise<void>
  /** Those that were there are gone. */
  revoke(ids: readonly string[]): Promise<void>
  /** Told the id of each token that is revoked. Returns how to stop that. */
  onRevoked(listener: (id: string) => void): () => void
}

type TokenStore = Pick<Store, 'tokens' | 'addToken' | 'removeToken'>

/** What is stored, by id and by how its hash begins. */
type Known = {
  readonly byId: ReadonlyMap<string, TokenRecord>
  readonly byShortHash: ReadonlyMap<string, readonly TokenRecord[]>
}

export function createTokens(store: TokenStore, clock: Pick<Clock, 'wall'>, digest: Digest = hashToken): Tokens {
  let known: Known | null = null
  const listeners = new Set<(id: string) => void>()
  const read = (): Known => {
    const tokens = store.tokens()
    return {
      byId: new Map(tokens.map((token) => [token.id, token])),
      byShortHash: Map.groupBy(tokens, ({ hash }) => shortHash(hash)),
    }
  }
  const all = (): Known => {
    known ??= read()
    return known
  }
  const isValid = ({ expiresAt }: TokenRecord): boolean =>
    expiresAt === null || Date.parse(expiresAt) > clock.wall().getTime()
  const remove = async (id: string): Promise<void> => {
    await store.removeToken(id)
    known = null
    for (const listener of listeners) listener(id)
  }
  return {
    authenticate: createAuthenticate(digest, (short) => (all().byShortHash.get(short) ?? []).filter(isValid)),
    list: () => [...all().byId.values()],
    isValid: (id) => {
      const token = all().byId.get(id)
      return token !== undefined && isValid(token)
    },
    add: async (token) => {
      // What has expired is of no more use; cleared away here, tokens that are made every day do not pile up.
      for (const old of all().byId.values()) if (old.origin === 'api' && !isValid(old)) await remove(old.id)
      await store.addToken(token)
      known = null
    },
    revoke: async (ids) => {
      for (const id of ids) await remove(id)
    },
    onRevoked: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

const secretBytes = 32

/** A token that nobody guesses: 256 random bits, with a prefix by which people and scanners recognise it. */
export function drawToken(): string {
  const secret = crypto.getRandomValues(new Uint8Array(secretBytes))
  const base64 = btoa(String.fromCharCode(...secret))
  return `hf_${base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`
}

export function drawTokenId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(6)))
}
