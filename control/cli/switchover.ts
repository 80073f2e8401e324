/** `holdfast switchover SERVICE`: asks control to move it, and with `--wait` stays until it has moved everywhere. */
import type { Operation } from '../decision.ts'
import { type Access, callControl } from './client.ts'
import { CommandError } from './failure.ts'

type Options = Access & {
  readonly to?: string
  readonly reason?: string
  readonly wait?: boolean
  readonly json?: boolean
}

export async function runSwitchoverCommand(service: string, options: Options): Promise<void> {
  const body = {
    ...(options.to === undefined ? {} : { to: options.to }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  }
  const path = `/v1/services/${encodeURIComponent(service)}/switchover`
  const { operation } = (await callControl(options, 'POST', path, { body })) as { operation: Operation }
  const last = options.wait === true ? await follow(operation, options) : operation
  if (options.json) process.stdout.write(`${JSON.stringify(last)}\n`)
  else if (options.wait !== true) process.stdout.write(`${service} moves to ${last.to}: operation ${last.id}\n`)
  if (last.status === 'failed') throw new CommandError(`${service} did not move: ${last.failure ?? 'no reason given'}`)
}

/** Prints each step as it is done, with the time since the request. */
async function follow(first: Operation, options: Options): Promise<Operation> {
  let operation = first
  let printed = 0
  for (;;) {
    const begun = operation.steps[0]?.at ?? new Date().toISOString()
    for (const { name, at } of operation.steps.slice(printed)) {
      const afterMs = Date.parse(at) - Date.parse(begun)
      if (!options.json) process.stdout.write(`${String(afterMs).padStart(6)} ms  ${name}\n`)
    }
    printed = operation.steps.length
    if (operation.status !== 'running') return operation
    operation = (await callControl(options, 'GET', `/v1/operations/${operation.id}?wait=10s`, {
      waitMs: 10_000,
    })) as Operation
  }
}
