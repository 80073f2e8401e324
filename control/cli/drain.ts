/** `holdfast drain NODE`, `holdfast undrain NODE`: empties a node for maintenance, and lets it take part again. */

import type { ServiceView } from '../core/view.ts'
import type { Operation } from '../decision.ts'
import { type Access, callControl } from './client.ts'
import { CommandError } from './failure.ts'
import { followOperations, refuseFailed } from './operation-progress.ts'

type Options = Access & { readonly reason?: string; readonly wait?: boolean; readonly json?: boolean }

export async function runDrainCommand(node: string, options: Options): Promise<void> {
  const { reason, wait = false, json = false } = options
  const path = `/v1/nodes/${encodeURIComponent(node)}/drain`
  const body = reason === undefined ? {} : { reason }
  const answer = (await callControl(options, 'PUT', path, { has: ['operations'], body })) as { operations: Operation[] }
  const operations = wait ? await followOperations(answer.operations, { ...options, quiet: json }) : answer.operations
  if (json) process.stdout.write(`${JSON.stringify({ ...answer, operations })}\n`)
  const stuck = (await ownedBy(node, options)).filter(
    ({ service }) => wait || !operations.some((operation) => operation.service === service),
  )
  if (!json) process.stdout.write(`${describe(node, { operations, stuck, wait })}\n`)
  refuseFailed(operations)
  if (wait && stuck.length > 0) {
    const names = stuck.map(({ service }) => service).join(', ')
    throw new CommandError(`${node} still owns ${names}: see holdfast status for why`)
  }
}

async function ownedBy(node: string, access: Access): Promise<ServiceView[]> {
  const { services } = (await callControl(access, 'GET', '/v1/services', { has: ['services'] })) as {
    services: ServiceView[]
  }
  return services.filter(({ owner }) => owner?.node === node)
}

type Drained = {
  readonly operations: readonly Operation[]
  readonly stuck: readonly ServiceView[]
  readonly wait: boolean
}

function describe(node: string, { operations, stuck, wait }: Drained): string {
  const moved = operations.filter(({ status }) => status !== 'failed')
  const moves = moved.map(({ service, to, id }) => `${service} ${wait ? 'moved' : 'moves'} to ${to}: operation ${id}`)
  const waits = stuck.map(
    ({ service }) => `${service} stays at ${node} until somebody can take over; see holdfast status`,
  )
  const empty = stuck.length === 0 && (wait || operations.length === 0)
  const state = empty ? 'is empty, and stays so' : 'is being emptied, and stays so'
  return [...moves, ...waits, `${node} ${state} until: holdfast undrain ${node}`].join('\n')
}

export async function runUndrainCommand(node: string, options: Omit<Options, 'wait'>): Promise<void> {
  const query = options.reason === undefined ? '' : `?reason=${encodeURIComponent(options.reason)}`
  const path = `/v1/nodes/${encodeURIComponent(node)}/drain${query}`
  const answer = await callControl(options, 'DELETE', path, { has: ['node', 'drain'] })
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${node} takes part again\n`)
}
