/** `holdfast switchover SERVICE`: asks control to move it, and with `--wait` stays until it has moved everywhere. */
import type { Operation } from '../decision.ts'
import { type Access, callControl } from './client.ts'
import { followOperations, refuseFailed } from './operation-progress.ts'

type Options = Access & {
  readonly to?: string
  readonly reason?: string
  readonly wait?: boolean
  readonly json?: boolean
}

export async function runSwitchoverCommand(service: string, options: Options): Promise<void> {
  const { to, reason, wait = false, json = false } = options
  const body = { ...(to === undefined ? {} : { to }), ...(reason === undefined ? {} : { reason }) }
  const path = `/v1/services/${encodeURIComponent(service)}/switchover`
  const { operation } = (await callControl(options, 'POST', path, { has: ['operation'], body })) as {
    operation: Operation
  }
  const [last] = wait ? await followOperations([operation], { ...options, quiet: json }) : [operation]
  if (json) process.stdout.write(`${JSON.stringify(last)}\n`)
  refuseFailed([last!])
  if (!json)
    process.stdout.write(`${service} ${wait ? 'moved' : 'moves'} to ${operation.to}: operation ${operation.id}\n`)
}
