/** What the worlds of all EC2 adapters have in common: one strict EC2, its time, and its ways of going wrong. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createEc2, type Ec2, type Ec2Options, labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import type { CaseFault, Place, World } from '../adapter-cases.ts'
import { createManualTimers } from '../manual-timers.ts'

/** The standard chain finds them first here, so that no test depends on the machine it runs on. */
export function useLabCredentials(): void {
  vi.stubEnv('AWS_ACCESS_KEY_ID', labCredentials.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', labCredentials.secretAccessKey)
}

export type Ec2WorldInput = {
  readonly lab: Ec2Options
  /** The actions that each of the adapter's calls is made of, as far as faults are concerned. */
  readonly actions: Readonly<Record<'observe' | 'apply', readonly string[]>> & {
    /** Those that may come late. Default: those of `apply`. */
    readonly late?: readonly string[]
  }
  adapterAt(url: string): Adapter
  owner(ec2: Ec2): Place
  move(ec2: Ec2, place: Place): void
}

export type Ec2World = { readonly adapter: Adapter; readonly world: World; readonly ec2: Ec2 }

export async function createEc2World({ lab, actions, adapterAt, owner, move }: Ec2WorldInput): Promise<Ec2World> {
  const timers = createManualTimers()
  const ec2 = await createEc2({ ...lab, timers })
  let hangs = 0
  const world: World = {
    owner: async () => owner(ec2),
    setOutOfBand: async (place) => move(ec2, place),
    inject: (action, fault) => {
      if (fault === 'hang') hangs += 1
      ec2.faults.add({ ...faults[fault], action: [...actions[action]], next: 1 })
    },
    lag: (what, ms) => {
      ec2.faults.clear()
      if (what === 'late-write') ec2.faults.add({ kind: what, action: [...(actions.late ?? actions.apply)], ms })
      if (what === 'stale-reads') ec2.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () =>
      vi.waitFor(() => {
        const unanswered = ec2.requests.filter(({ outcome }) => outcome.includes('not answered'))
        expect(unanswered.length).toBe(hangs)
      }),
    unreachable: async () => {
      // A port of the loopback that nobody listens on: EC2 listened there a moment ago.
      const gone = await createEc2(lab)
      await gone.close()
      return adapterAt(gone.url)
    },
    secrets: [labCredentials.secretAccessKey, labCredentials.accessKeyId, 'AWS4-HMAC-SHA256', 'Signature='],
    end: () => ec2.close(),
  }
  return { adapter: adapterAt(ec2.url), world, ec2 }
}

const faults = {
  throttled: { kind: 'error', code: 'RequestLimitExceeded' },
  unavailable: { kind: 'error', code: 'InternalError' },
  denied: { kind: 'error', code: 'UnauthorizedOperation' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>

/** The interfaces of n1, n2 and somebody else, by whom they belong to. */
export const interfaceOf = { n1: 'eni-1', n2: 'eni-2', foreign: 'eni-9' } as const

export function placeOf(networkInterfaceId: string | null): Place {
  if (networkInterfaceId === null) return null
  const found = Object.entries(interfaceOf).find(([, id]) => id === networkInterfaceId)
  return (found?.[0] ?? 'foreign') as Place
}

/** One place for all parts of a binding; parts at different ones are nobody's. */
export function commonPlace(places: readonly Place[]): Place {
  const [first = null, ...others] = new Set(places)
  return others.length === 0 ? first : 'foreign'
}
