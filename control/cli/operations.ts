/** `holdfast operations` and `holdfast operation ID`: the moves there were, and how one of them went. */
import { describeReport, type MoveReport, type Operation } from '../operation.ts'
import { type Access, askControl, callControl } from './client.ts'
import { UsageError } from './failure.ts'
import { followOperations, operationKeys, stepLines } from './operation-progress.ts'
import { ago, table } from './table.ts'

type ListOptions = Access & { readonly service?: string; readonly limit: string; readonly json?: boolean }

export async function runOperationsCommand(options: ListOptions): Promise<void> {
  if (!/^[1-9]\d{0,8}$/.test(options.limit)) {
    throw new UsageError(`--limit ${options.limit} is not a number of moves; write 20`)
  }
  const service = options.service === undefined ? '' : `&service=${encodeURIComponent(options.service)}`
  const path = `/v1/operations?limit=${encodeURIComponent(options.limit)}${service}`
  const { body, atMs } = await askControl(options, 'GET', path, { has: ['operations'] })
  const { operations } = body as { operations: Operation[] }
  const none =
    options.service === undefined ? 'nothing has moved yet' : `control knows of no move of ${options.service}`
  if (options.json) process.stdout.write(`${JSON.stringify(operations)}\n`)
  else process.stdout.write(`${operations.length === 0 ? none : list(operations, atMs)}\n`)
}

function list(operations: readonly Operation[], nowMs: number): string {
  const rows = operations.map(({ id, kind, service, from, to, status, steps, by, failure, report }) => [
    id,
    steps[0] === undefined ? '-' : `${ago(steps[0].at, nowMs)} ago`,
    kind,
    service,
    `${from ?? 'nobody'} -> ${to}`,
    by ?? '-',
    status,
    failure ?? (report === null ? '' : describeReport(report)),
  ])
  return table([['OPERATION', 'BEGAN', 'KIND', 'SERVICE', 'MOVE', 'BY', 'STATUS', 'RESULT'], ...rows])
}

type Options = Access & { readonly wait?: boolean; readonly json?: boolean }

export async function runOperationCommand(id: string, options: Options): Promise<void> {
  const found = (await callControl(options, 'GET', `/v1/operations/${encodeURIComponent(id)}`, {
    has: operationKeys,
  })) as Operation
  if (!options.json) process.stdout.write(`${heading(found)}\n`)
  const watching = { ...options, quiet: options.json === true }
  const [operation] = options.wait === true ? await followOperations([found], watching) : [found]
  if (options.json) process.stdout.write(`${JSON.stringify(operation)}\n`)
  else
    process.stdout.write(`${[...(options.wait ? [] : stepLines(operation!, 0)), ...result(operation!)].join('\n')}\n`)
}

function heading({ id, kind, service, from, to, epoch, by, reason }: Operation): string {
  const asked = by === null ? ', which nobody asked for' : `, asked for by ${by}${reason === null ? '' : `: ${reason}`}`
  const minted = epoch === null ? '' : ` at epoch ${epoch}`
  return `${id}: ${kind} of ${service} from ${from ?? 'nobody'} to ${to}${minted}${asked}`
}

function result({ status, failure, report, id }: Operation): string[] {
  if (status === 'running') return [`it is under way; to stay with it: holdfast operation ${id} --wait`]
  const ended = status === 'failed' ? `it failed: ${failure ?? 'no reason given'}` : 'it is done'
  return [ended, ...(report === null ? [] : describeTimes(report))]
}

/** The failover report: what took how long. */
function describeTimes({ detectMs, decideMs, acceptedMs, visibleMs, seenMs, bindings }: MoveReport): string[] {
  const time = (ms: number | null): string => (ms === null ? '-' : `${Math.round(ms)} ms`)
  const rows = [
    ['noticed', time(detectMs), 'after the last good word of the former owner'],
    ['decided', time(decideMs), 'after the first sign, or the request; so are all below'],
    ['accepted', time(acceptedMs), 'by every provider'],
    ...bindings.map((binding) => [`  ${binding.name}`, time(binding.acceptedMs), '']),
    ['visible', time(visibleMs), 'everywhere, read back'],
    ...bindings.map((binding) => [`  ${binding.name}`, time(binding.visibleMs), '']),
    ['seen', time(seenMs), 'by the probe through its own address'],
  ]
  return [table(rows)]
}
