/** The world of the gcp-alias-ip adapter: three instances of a strict Compute Engine, two of them targets. */
import { generateKeyPairSync } from 'node:crypto'
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createGcpAliasIp } from '../../../adapters/gcp-alias-ip/adapter.ts'
import { gcpAliasIpSchema } from '../../../adapters/gcp-alias-ip/schema.ts'
import { createGoogle, type Google, type GoogleOptions, type GoogleState } from '../../../infra/lab/clouds/google.ts'
import type { CaseFault, Place, World } from '../adapter-cases.ts'
import { createManualTimers } from '../manual-timers.ts'

export const project = 'lab-project'
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const account = { email: 'holdfast@lab-project.iam.gserviceaccount.com', publicKey }
export const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

/** Where adapters find the key. */
export function useKey(value: string = keyFile()): void {
  vi.stubEnv('GOOGLE_KEY_UNDER_TEST', value)
}

function keyFile(): string {
  return JSON.stringify({ type: 'service_account', client_email: account.email, private_key: pem })
}

export const vip = '10.1.0.9/32'
const other = { ipCidrRange: '10.1.0.77/32', subnetworkRangeName: 'vips' }
const subnetwork = 'https://compute.googleapis.com/compute/v1/projects/lab-project/regions/r1/subnetworks/main'

/** By place: the instance, and which of its interfaces. Each node's nic0 has another alias, which nobody may touch. */
const where = { n1: ['z1/web-1', 'nic0'], n2: ['z2/web-2', 'nic0'], foreign: ['z2/web-2', 'nic1'] } as const

export const initial: GoogleState = {
  instances: {
    'z1/web-1': [{ name: 'nic0', version: 1, subnetwork, aliasIpRanges: [other] }],
    'z2/web-2': [
      { name: 'nic0', version: 1, subnetwork, aliasIpRanges: [{ ipCidrRange: '10.1.0.78/32' }] },
      { name: 'nic1', version: 1, subnetwork, aliasIpRanges: [] },
    ],
  },
  routes: {},
  operations: {},
  count: 0,
}

export function adapterAt(
  url: string,
  config: object = {},
  options: { readonly callTimeoutMs?: number } = {},
): Adapter {
  const parsed = gcpAliasIpSchema.config.parse({
    ...{ project, address: '10.1.0.9', subnetworkRangeName: 'vips', endpoint: url, tokenEndpoint: `${url}/token` },
    credentials: { env: 'GOOGLE_KEY_UNDER_TEST' },
    ...config,
  })
  const targets = { n1: { zone: 'z1', instance: 'web-1' }, n2: { zone: 'z2', instance: 'web-2' } }
  const both = Object.entries(targets).map(([node, target]) => [node, gcpAliasIpSchema.target.parse(target)] as const)
  return createGcpAliasIp(
    { service: 'web', binding: 'vip', config: parsed, targets: Object.fromEntries(both) },
    { pause: (_ms) => new Promise((resolve) => setImmediate(resolve)), ...options },
  )
}

export function placeIn({ instances }: GoogleState): Place {
  const found = (['n1', 'n2', 'foreign'] as const).filter((place) => {
    const [at, name] = where[place]
    const nic = instances[at]!.find((each) => each.name === name)!
    return nic.aliasIpRanges.some(({ ipCidrRange }) => ipCidrRange === vip)
  })
  if (found.length > 1) throw new Error('it is at two places')
  return found[0] ?? null
}

/** As somebody else would: fingerprints change where something changes. */
function moved(state: GoogleState, to: Place): GoogleState {
  const entries = Object.entries(state.instances).map(([at, nics]) => {
    const changed = nics.map((nic) => {
      const has = nic.aliasIpRanges.some(({ ipCidrRange }) => ipCidrRange === vip)
      const wants = to !== null && where[to][0] === at && where[to][1] === nic.name
      if (has === wants) return nic
      const rest = nic.aliasIpRanges.filter(({ ipCidrRange }) => ipCidrRange !== vip)
      const aliasIpRanges = wants ? [...rest, { ipCidrRange: vip, subnetworkRangeName: 'vips' }] : rest
      return { ...nic, version: nic.version + 1, aliasIpRanges }
    })
    return [at, changed] as const
  })
  return { ...state, instances: Object.fromEntries(entries) }
}

export async function gcpAliasIpWorld(operations: Pick<GoogleOptions, 'operationMs'> = {}): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly google: Google
}> {
  const timers = createManualTimers()
  const google = await createGoogle({ project, account, initial, timers, ...operations })
  let hung = 0
  const world: World = {
    owner: async () => placeIn(google.state()),
    setOutOfBand: async (place) => google.setOutOfBand((state) => moved(state, place)),
    inject: (action, fault) => {
      // The answer that matters is that of the second step.
      const about = fault === 'lost-response' && action === 'apply' ? { about: vip } : {}
      const name = action === 'observe' ? 'getInstance' : 'updateNetworkInterface'
      google.faults.add({ ...faults[fault], ...about, action: name, next: 1 })
    },
    lag: (what, ms) => {
      google.faults.clear()
      if (what === 'late-write') google.faults.add({ kind: what, action: 'updateNetworkInterface', ms })
      if (what === 'stale-reads') google.faults.add({ kind: what, action: 'getInstance', ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: async () => {
      const now = () => google.requests.filter(({ outcome }) => outcome.includes('not answered')).length
      await vi.waitFor(() => expect(now()).toBeGreaterThan(hung))
      hung = now()
    },
    unreachable,
    get secrets() {
      return [pem.slice(40, 90), ...google.tokens]
    },
    end: () => google.close(),
  }
  return { adapter: adapterAt(google.url), world, google }
}

export const faults = {
  throttled: { kind: 'error', code: 'rateLimitExceeded' },
  unavailable: { kind: 'error', code: 'backendError' },
  denied: { kind: 'error', code: 'forbidden' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>

/** A port that the cloud listened on a moment ago. */
async function unreachable(): Promise<Adapter> {
  const gone = await createGoogle({ project, account, initial })
  await gone.close()
  return adapterAt(gone.url)
}
