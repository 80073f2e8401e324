/** One way to make a world of an adapter and the strict cloud it talks to, whatever the provider. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import type { CloudOptions, StrictCloud } from '../../../infra/lab/clouds/strict-cloud.ts'
import type { CaseFault, Place, World } from '../adapter-cases.ts'
import { createManualTimers, type ManualTimers } from '../manual-timers.ts'

export const names = { service: 'web', binding: 'ip' }

export type Thin<State> = {
  create(options: CloudOptions): Promise<StrictCloud<State>>
  /** `clock`: the cloud's own, for whoever signs by it. */
  adapterAt(url: string, clock: () => Date): Adapter
  /** Where it is, to whoever could see all at once. */
  owner(state: State, now: Date): Place
  put(state: State, place: Place, now: Date): State
  /** What the cloud calls the requests that look, and that move. */
  readonly actions: { readonly observe: string; readonly apply: string }
  /** The cloud's own words for it. */
  readonly codes: Readonly<Record<'throttled' | 'unavailable' | 'denied', string>>
  readonly secrets: readonly string[]
}

export type Thinly<State> = {
  readonly adapter: Adapter
  readonly world: World
  readonly cloud: StrictCloud<State>
  readonly timers: ManualTimers
}

/** A wall clock that passes with `timers`, so that what takes long is over when a test says so. */
export function clockOf(timers: ManualTimers): () => Date {
  const began = Date.now()
  return () => new Date(began + timers.now())
}

export async function thinWorld<State>(thin: Thin<State>): Promise<Thinly<State>> {
  const timers = createManualTimers()
  const clock = clockOf(timers)
  const cloud = await thin.create({ timers, clock })
  const world: World = {
    owner: async () => thin.owner(cloud.state(), clock()),
    setOutOfBand: async (place) => cloud.setOutOfBand((state) => thin.put(state, place, clock())),
    inject: (action, fault) => cloud.faults.add({ ...faultOf(fault, thin), action: thin.actions[action], next: 1 }),
    lag: (what, ms) => {
      cloud.faults.clear()
      if (what === 'late-write') cloud.faults.add({ kind: what, action: thin.actions.apply, ms })
      if (what === 'stale-reads') cloud.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(cloud.requests.at(-1)?.outcome).toContain('not answered')),
    unreachable: async () => {
      const gone = await thin.create({})
      await gone.close()
      return thin.adapterAt(gone.url, clock)
    },
    secrets: thin.secrets,
    end: () => cloud.close(),
  }
  return { adapter: thin.adapterAt(cloud.url, clock), world, cloud, timers }
}

function faultOf<State>(fault: CaseFault, { codes }: Thin<State>) {
  if (fault === 'lost-response') return { kind: 'reset-after' } as const
  if (fault === 'hang') return { kind: 'hang-after' } as const
  return { kind: 'error', code: codes[fault] } as const
}

/** What is accepted is asked about at once, so that no test sleeps. */
export const atOnce = { pause: async () => {} }
