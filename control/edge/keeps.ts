/**
 * Where the map survives an isolate: the data centre's cache, which is near, a Durable Object, which lasts and decides,
 * and, if there is a binding for it, a copy in KV, which is read where the object cannot be.
 */
import * as z from 'zod'
import { edgeMapSchema, edgeRouteSchema } from './contract.ts'
import { type Known, learnMap, nothingKnown } from './known.ts'
import type { AskControl, Keep } from './map.ts'
import type { EdgeMap, Held, Rows } from './object.ts'

/** The cache keeps answers to requests, so the map is the answer to one that nobody ever sends. */
export function cacheKeep(name: string): Keep {
  const key = `https://edge-map.holdfast.invalid/${encodeURIComponent(name)}`
  return {
    read: async () => {
      const answer = await caches.default.match(key)
      if (answer === undefined) return null
      return learnMap(nothingKnown, edgeMapSchema.parse(await answer.json()).routes).known
    },
    write: async ({ known }) => {
      const map = { generation: 0, routes: [...known.routes.values()] }
      const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=31536000' }
      await caches.default.put(key, new Response(JSON.stringify(map), { headers }))
    },
  }
}

export function objectKeep(objects: DurableObjectNamespace<EdgeMap>, name: string): Keep {
  const object = () => objects.get(objects.idFromName(name))
  return {
    read: async () => {
      return knownFrom(await object().all())
    },
    write: async ({ changed, gone }) => {
      await object().learn([...changed], [...gone])
    },
  }
}

export function knownFrom(rows: Rows): Known {
  const held = Object.entries(rows)
  return {
    routes: new Map(held.flatMap(([service, { route }]) => (route === null ? [] : [[service, route] as const]))),
    epochs: new Map(held.map(([service, { epoch }]) => [service, epoch] as const)),
    revisions: new Map(held.map(([service, { revision }]) => [service, revision] as const)),
  }
}

/** What is used of the KV binding. */
export type Copies = {
  list(options: { prefix: string; cursor?: string | null }): Promise<KVNamespaceListResult<unknown>>
  get(keys: string[], type: 'json'): Promise<Map<string, unknown>>
  put(key: string, value: string): Promise<void>
}

const copySchema = z.object({ epoch: z.int(), revision: z.int(), route: edgeRouteSchema })

/** As many as KV reads at once. */
const copiesAtOnce = 100

/**
 * A copy of each row. KV compares nothing, and a copy may be a minute old: whoever reads it takes it only if it is
 * newer than what is known otherwise.
 */
export function copyKeep(copies: Copies, name: string): Keep & { copy(held: Held): Promise<void> } {
  const prefix = `${encodeURIComponent(name)}/`
  const copy = async ({ epoch, revision, route }: Held): Promise<void> => {
    if (route !== null) await copies.put(`${prefix}${route.service}`, JSON.stringify({ epoch, revision, route }))
  }
  return {
    copy,
    read: async () => {
      const rows: Record<string, Held> = {}
      for (const keys of groupsOf(await keysWith(copies, prefix), copiesAtOnce)) {
        for (const value of (await copies.get(keys, 'json')).values()) {
          const parsed = copySchema.safeParse(value)
          if (parsed.success) rows[parsed.data.route.service] = parsed.data
        }
      }
      return knownFrom(rows)
    },
    // What control says is asked of control again; only what was written here has no other place.
    write: async () => undefined,
  }
}

async function keysWith(copies: Copies, prefix: string): Promise<string[]> {
  const names: string[] = []
  for (let cursor: string | null = null; ; ) {
    const page: KVNamespaceListResult<unknown> = await copies.list({ prefix, cursor })
    names.push(...page.keys.map((key) => key.name))
    if (page.list_complete) return names
    cursor = page.cursor
  }
}

function groupsOf(keys: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(keys.length / size) }, (_, i) => keys.slice(i * size, (i + 1) * size))
}

export function askControl({ url, token }: { readonly url: string; readonly token: string }): AskControl {
  return async (etag, { waitMs, timeoutMs }) => {
    const headers = new Headers({ authorization: `Bearer ${token}`, accept: 'application/json' })
    if (etag !== null) headers.set('if-none-match', etag)
    const query = waitMs === 0 ? '' : `?wait=${waitMs}ms`
    const response = await fetch(`${url.replace(/\/$/, '')}/v1/edge${query}`, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (response.status === 304) return null
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`${url}/v1/edge answered ${response.status}`)
    }
    return { etag: response.headers.get('etag'), map: edgeMapSchema.parse(await response.json()) }
  }
}
