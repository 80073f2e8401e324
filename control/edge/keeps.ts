/** Where the map survives an isolate: the data centre's cache, which is near, and a Durable Object, which lasts. */
import { edgeMapSchema } from './contract.ts'
import { type Known, learnMap, nothingKnown } from './known.ts'
import type { AskControl, Keep } from './map.ts'
import type { EdgeMap } from './object.ts'

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
      const { routes, epochs } = await object().all()
      const known: Known = {
        routes: new Map(routes.map((route) => [route.service, route] as const)),
        epochs: new Map(Object.entries(epochs)),
      }
      return known
    },
    write: async ({ changed, gone }) => {
      await object().learn([...changed], [...gone])
    },
  }
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
