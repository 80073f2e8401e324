/** A strict Consul: one key-value store with check-and-set by index, as its HTTP API documents `?cas=`. */
import { createStrictCloud, type Reply, type StrictCloud, type Timers } from '../../../infra/lab/clouds/strict-cloud.ts'

export type ConsulState = { readonly index: number; readonly keys: Readonly<Record<string, Entry>> }
type Entry = { readonly value: string; readonly index: number }

const reply = (status: number, body: unknown, outcome = 'ok'): Reply => {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), outcome }
}

const statuses: Readonly<Record<string, number>> = { throttled: 429, unavailable: 500, denied: 403 }

export function write(state: ConsulState, key: string, value: string | null): ConsulState {
  const index = state.index + 1
  const { [key]: _, ...others } = state.keys
  return { index, keys: value === null ? others : { ...others, [key]: { value, index } } }
}

export function createConsul(timers: Timers): Promise<StrictCloud<ConsulState>> {
  return createStrictCloud<ConsulState>({
    initial: { index: 10, keys: {} },
    timers,
    protocol: {
      read: ({ method, target }) => {
        const { pathname, searchParams } = new URL(target, 'http://consul')
        const key = /^\/v1\/kv\/(.+)$/.exec(pathname)?.[1]
        if (key === undefined) return reply(404, 'not found', 'NotFound')
        const cas = searchParams.get('cas')
        if (method === 'GET') return { action: 'get', params: { key }, kind: 'read' }
        return { action: 'put', params: { key, ...(cas === null ? {} : { cas }) }, kind: 'write' }
      },
      perform: (state, { action, params }, { asked }) => {
        const entry = state.keys[params.key!]
        if (action === 'get') {
          if (entry === undefined) return { reply: { status: 404, body: '', outcome: 'ok' } }
          return { reply: reply(200, [{ Key: params.key, Value: btoa(entry.value), ModifyIndex: entry.index }]) }
        }
        // "If the index is 0, Consul will only put the key if it does not already exist."
        const holds = params.cas === undefined || Number(params.cas) === (entry?.index ?? 0)
        if (!holds) return { reply: reply(200, false) }
        return { reply: reply(200, true), state: write(state, params.key!, asked.body) }
      },
      refuse: (code) => reply(statuses[code] ?? 500, code, code),
    },
  })
}
