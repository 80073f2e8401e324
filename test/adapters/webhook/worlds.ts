/** The world of the webhook adapter: the strict receiver, fenced or not, which can be made to fail. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createWebhook } from '../../../adapters/webhook/adapter.ts'
import { webhookSchema } from '../../../adapters/webhook/schema.ts'
import type { StrictCloud } from '../../../infra/lab/clouds/strict-cloud.ts'
import { createWebhookReceiver, type ReceiverState } from '../../../infra/lab/clouds/webhook-receiver.ts'
import type { CaseFault, Place, World } from '../adapter-cases.ts'
import { createManualTimers } from '../manual-timers.ts'

export const names = { service: 'web', binding: 'hook' }
export const secret = 'webhook secret under test'
const key = 'web/hook'

/** Where `adapterAt` finds the secret. */
export function useSecret(value: string = secret): void {
  vi.stubEnv('WEBHOOK_SECRET_UNDER_TEST', value)
}

type More = { readonly callTimeoutMs?: number; readonly now?: () => Date }

/** An adapter at `url`, by its own schemas. */
export function adapterAt(url: string, config: object = {}, more: More = {}): Adapter {
  const parsed = webhookSchema.config.parse({ url, secret: { env: 'WEBHOOK_SECRET_UNDER_TEST' }, ...config })
  return createWebhook({ ...names, config: parsed, targets: { n1: {}, n2: { data: { pool: 'green' } } } }, more)
}

export type Options = { readonly fenced: boolean; readonly clock?: () => Date }

export async function webhookWorld({ fenced, clock }: Options): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly receiver: StrictCloud<ReceiverState>
  /** Of the receiver's endpoint. */
  readonly url: string
}> {
  const timers = createManualTimers()
  const options = { secret, fenced, bindings: [names], timers }
  const receiver = await createWebhookReceiver(clock === undefined ? options : { ...options, clock })
  const actionOf = { observe: 'look', apply: 'deliver' } as const
  const world: World = {
    owner: async () => receiver.state()[key]!.node as Place,
    setOutOfBand: async (node) => receiver.setOutOfBand((state) => ({ [key]: { ...state[key]!, node } })),
    inject: (action, fault) => receiver.faults.add({ ...faults[fault], action: actionOf[action], next: 1 }),
    lag: (what, ms) => {
      receiver.faults.clear()
      if (what === 'late-write') receiver.faults.add({ kind: what, action: 'deliver', ms })
      if (what === 'stale-reads') receiver.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(receiver.requests.at(-1)?.outcome).toContain('not answered')),
    unreachable: () => unreachable(fenced),
    secrets: [secret, 'v1='],
    end: () => receiver.close(),
  }
  const url = `${receiver.url}/hook`
  return { adapter: adapterAt(url, { fenced }), world, receiver, url }
}

const faults = {
  throttled: { kind: 'error', code: 'TooMany' },
  unavailable: { kind: 'error', code: 'Unavailable' },
  denied: { kind: 'error', code: 'Forbidden' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>

/** A port that the receiver listened on a moment ago. */
async function unreachable(fenced: boolean): Promise<Adapter> {
  const gone = await createWebhookReceiver({ secret, fenced, bindings: [names] })
  await gone.close()
  return adapterAt(`${gone.url}/hook`, { fenced })
}
