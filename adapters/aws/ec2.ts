/** One binding's way to EC2: its client, calls that are made once, and what is known of how soon they show. */
import { EC2Client } from '@aws-sdk/client-ec2'
import { connection } from '#aws/connection'
import type { AdapterInput } from '../adapter.ts'
import { type Called, call } from './call.ts'
import { ec2Errors } from './ec2-errors.ts'
import type { Ec2Config } from './ec2-schema.ts'

/** What an adapter's functions are given. */
export type Ec2Binding<Config extends Ec2Config, Target> = AdapterInput<Config, Target> & { readonly ec2: Ec2 }

export type Ec2Options = {
  /** How long one call may take, in milliseconds. Default: `callMs`. */
  readonly callTimeoutMs?: number
}

/** Structural, so that each command of the SDK keeps its own answer. */
type Send<Answer> = (client: EC2Client, options: { readonly abortSignal: AbortSignal }) => Promise<Answer>

export type Ec2 = {
  /** Makes one call. The SDK's retries are off, because only control knows whether a repeat is still wanted. */
  ask<Answer>(send: Send<Answer>, signal: AbortSignal): Promise<Called<Answer>>
  dispose(): void
}

/** How soon a change of EC2's shows, in milliseconds. */
export const ec2Timing = {
  // EC2 promises no bound on when a change is seen; half a minute covers what is known of it.
  settleMs: 30_000,
  // A call is given up after 8 s; the rest is for a request still on its way. EC2 would accept a signed one for
  // five minutes: what comes so late is drift, and the regular observation finds it.
  maxInFlightMs: 35_000,
  // Most changes show within seconds, and a repeat does what the first one did.
  unsureMs: 10_000,
} as const

export function createEc2({ region, endpoint }: Ec2Config, { callTimeoutMs }: Ec2Options = {}): Ec2 {
  const client = new EC2Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
    retryMode: 'standard',
    ...connection(),
  })
  const limit = callTimeoutMs === undefined ? {} : { timeoutMs: callTimeoutMs }
  const always = { credentials: client.config.credentials, table: ec2Errors, ...limit }
  return {
    ask: (send, signal) => call((abortSignal) => send(client, { abortSignal }), { ...always, signal }),
    dispose: () => client.destroy(),
  }
}
