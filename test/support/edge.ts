/** The edge Worker as it is deployed, bundled by wrangler and run by workerd on loopback, and what stands around it. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Miniflare } from 'miniflare'
import type { EdgeMap, EdgeRoute } from '../../control/edge/contract.ts'

/** Nothing of it leaves this machine. */
const offline = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
}

const root = join(import.meta.dirname, '../..')

/** The program that a deployment would upload. */
export function bundleEdge(folder: string): string {
  const wrangler = join(root, 'node_modules/wrangler/bin/wrangler.js')
  const config = join(root, 'control/edge/wrangler.toml')
  execFileSync(process.execPath, [wrangler, 'deploy', '--dry-run', '--outdir', folder, '--config', config], {
    env: { PATH: process.env.PATH ?? '', HOME: folder, ...offline },
    stdio: 'pipe',
  })
  return readFileSync(join(folder, 'index.js'), 'utf8')
}

export type EdgeAnswer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type EdgeRequest = {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** What the Durable Object offers to an adapter. */
export type EdgeObject = {
  put(route: EdgeRoute, revision?: number): Promise<{ taken: boolean; epoch: number; revision: number }>
  get(service: string): Promise<EdgeRoute | null>
  held(service: string): Promise<{ epoch: number; revision: number; route: EdgeRoute | null }>
  learn(changed: EdgeRoute[], gone: string[]): Promise<void>
}

/** What is used of KV here. */
export type EdgeCopies = {
  get(key: string, type: 'json'): Promise<unknown>
  put(key: string, value: string): Promise<void>
}

export type Edge = {
  readonly url: URL
  ask(host: string, request?: EdgeRequest): Promise<EdgeAnswer>
  object(): Promise<EdgeObject>
  /** Only of an edge that was given KV. */
  copies(): Promise<EdgeCopies>
  close(): Promise<void>
}

export type EdgeOptions = {
  readonly code: string
  /** Where its cache and its objects survive it. */
  readonly folder: string
  readonly vars: Readonly<Record<string, string>>
  /** With the binding EDGE_KV. Default: without. */
  readonly kv?: boolean
}

export async function startEdge({ code, folder, vars, kv = false }: EdgeOptions): Promise<Edge> {
  const miniflare = new Miniflare({
    cf: false,
    host: '127.0.0.1',
    port: 0,
    logRequests: false,
    telemetry: { enabled: false },
    resourcePersistencePath: folder,
    workers: [
      {
        config: {
          name: 'edge',
          compatibilityDate: '2026-10-01',
          manifest: { mainModule: 'index.mjs', modules: { 'index.mjs': { type: 'esm', contents: code } } },
          env: {
            EDGE_MAP: { type: 'durable-object', worker: 'edge', exportName: 'EdgeMap' },
            ...(kv ? { EDGE_KV: { type: 'kv', id: 'edge' } } : {}),
            ...Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, { type: 'text', value }])),
          },
          exports: { EdgeMap: { type: 'durable-object', storage: 'sqlite' } },
        },
      },
    ],
  } as ConstructorParameters<typeof Miniflare>[0])
  const url = await miniflare.ready
  return {
    url,
    ask: (host, options) => askOf(url, host, options),
    object: async () => {
      const objects = await miniflare.getDurableObjectNamespace('EDGE_MAP')
      return objects.get(objects.idFromName('default')) as unknown as EdgeObject
    },
    copies: async () => (await miniflare.getKVNamespace('EDGE_KV')) as unknown as EdgeCopies,
    close: () => miniflare.dispose(),
  }
}

function askOf(url: URL, host: string, { method = 'GET', path = '/', headers = {}, body }: EdgeRequest = {}) {
  return new Promise<EdgeAnswer>((resolve, reject) => {
    const asked = request(new URL(path, url), { method, headers: { host, ...headers }, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.once('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }))
      response.once('error', reject)
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

export type RealServer = { readonly url: string; readonly port: number; readonly server: Server; stop(): Promise<void> }

export async function serve(listener: RequestListener, port = 0): Promise<RealServer> {
  const server = createServer(listener)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { port: chosen } = server.address() as AddressInfo
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${chosen}`, port: chosen, server, stop }
}

/** What of control the edge sees: its map, which can be changed, with those who wait for that. */
export async function serveMap(routes: readonly EdgeRoute[]) {
  let map: EdgeMap = { generation: 1, routes: [...routes] }
  const waiting = new Set<() => void>()
  const asked: string[] = []
  const listener: RequestListener = (request, response) => {
    asked.push(request.url ?? '')
    const answer = (): void => {
      waiting.delete(answer)
      const etag = `"${map.generation}"`
      if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end()
      else response.writeHead(200, { etag, 'content-type': 'application/json' }).end(JSON.stringify(map))
    }
    if (request.headers.authorization !== 'Bearer viewer') response.writeHead(401).end()
    else if (request.headers['if-none-match'] === `"${map.generation}"` && request.url?.includes('wait'))
      waiting.add(answer)
    else answer()
  }
  const server = await serve(listener)
  return {
    url: server.url,
    asked,
    waiting: () => waiting.size,
    say: (routes: readonly EdgeRoute[]) => {
      map = { generation: map.generation + 1, routes: [...routes] }
      for (const answer of [...waiting]) answer()
    },
    stop: server.stop,
    /** Comes back at the same place. */
    resume: () => serve(listener, server.port),
  }
}
