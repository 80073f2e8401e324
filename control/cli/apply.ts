/**
 * `holdfast apply -f FILE`: declares services to a control that runs.
 *
 *   files ──read, checked──▶ ┐
 *   control's declarations ──┴─▶ plan (shown) ──▶ control checks it all ──▶ yes? ──▶ one service after another
 *
 * Every write names the version that the plan was made from, so that nothing is overwritten that somebody else has
 * changed meanwhile. Over several services it cannot be all or nothing: it stops at the first failure and says so.
 */
import { type Access, askControl, callControl } from './client.ts'
import { type Change, compare } from './declaration-diff.ts'
import { readDeclarationFiles } from './declaration-files.ts'
import { CommandError, RefusedError, UsageError } from './failure.ts'
import { canAsk, confirm } from './prompt.ts'
import { paint } from './terminal.ts'

type Options = Access & {
  readonly file: readonly string[]
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly prune?: boolean
  readonly reason?: string
  readonly json?: boolean
}

/** What is to be done about one service, and what was there when it was decided. */
type Step = {
  readonly service: string
  readonly action: 'create' | 'change' | 'delete' | 'none'
  readonly declaration: unknown
  readonly changes: readonly Change[]
  readonly etag: string | undefined
}

export async function runApplyCommand(options: Options): Promise<void> {
  const { dryRun = false, yes = false, json = false } = options
  if (json && !yes && !dryRun)
    throw new UsageError('with --json nothing is shown to ask about: give --yes or --dry-run')
  const wanted = readDeclarationFiles({ files: options.file, environment: process.env })
  const plan = await makePlan(wanted, options)
  const due = plan.filter(({ action }) => action !== 'none')
  if (!json) process.stdout.write(`${describePlan(plan)}\n`)
  // All are checked before the first is done: most of what control would refuse is found while nothing is changed.
  for (const step of due) await perform(step, options, { dryRun: true })
  const done: Step[] = []
  if (!dryRun && due.length > 0) {
    await approve(yes)
    for (const step of due) {
      await perform(step, options, { dryRun: false }).catch((error: unknown) => stoppedAt(step, done, error))
      done.push(step)
    }
  }
  if (json) {
    const services = plan.map(({ service, action, changes }) => ({ service, action, changes }))
    process.stdout.write(`${JSON.stringify({ dryRun, applied: done.map(({ service }) => service), services })}\n`)
  } else if (dryRun && due.length > 0) process.stdout.write('A dry run: nothing was changed.\n')
  else if (done.length > 0) process.stdout.write(`Applied: ${done.map(({ service }) => service).join(', ')}.\n`)
}

async function makePlan(wanted: ReadonlyMap<string, unknown>, options: Options): Promise<Step[]> {
  const steps: Step[] = []
  for (const [service, declaration] of wanted) {
    const known = await fetchDeclaration(service, options)
    if (known?.origin === 'file') {
      throw new CommandError(`${service} is declared in control's own configuration file: change it there`)
    }
    const changes = compare(known?.declaration, declaration)
    const action = known === null ? 'create' : changes.length > 0 ? 'change' : 'none'
    steps.push({ service, action, declaration, changes, etag: known?.etag })
  }
  return options.prune === true ? [...steps, ...(await surplus(wanted, options))] : steps
}

/** Services that were declared over the API and are in no file. */
async function surplus(wanted: ReadonlyMap<string, unknown>, options: Options): Promise<Step[]> {
  const { services } = (await callControl(options, 'GET', '/v1/services', { has: ['services'] })) as {
    services: { service: string }[]
  }
  const steps: Step[] = []
  for (const { service } of services.filter(({ service }) => !wanted.has(service))) {
    const known = await fetchDeclaration(service, options)
    if (known?.origin !== 'api') continue
    const changes = compare(known.declaration, undefined)
    steps.push({ service, action: 'delete', declaration: null, changes, etag: known.etag })
  }
  return steps
}

type Known = { readonly origin: 'file' | 'api'; readonly declaration: unknown; readonly etag: string | undefined }

async function fetchDeclaration(service: string, options: Options): Promise<Known | null> {
  try {
    const path = `${pathOf(service)}/declaration`
    const { body, etag } = await askControl(options, 'GET', path, { has: ['origin', 'declaration'] })
    const { origin, declaration } = body as Omit<Known, 'etag'>
    return { origin, declaration, etag }
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) return null
    throw error
  }
}

async function perform(step: Step, options: Options, { dryRun }: { readonly dryRun: boolean }): Promise<void> {
  const { service, action, declaration, etag } = step
  // Nothing about a deletion can be tried.
  if (action === 'delete' && dryRun) return
  const condition = etag === undefined ? { 'if-none-match': '*' } : { 'if-match': etag }
  const query = new URLSearchParams({
    ...(dryRun ? { dryRun: 'true' } : {}),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  })
  const path = `${pathOf(service)}${query.size > 0 ? `?${query}` : ''}`
  const question = { has: ['service'], headers: condition, ...(action === 'delete' ? {} : { body: declaration }) }
  await askControl(options, action === 'delete' ? 'DELETE' : 'PUT', path, question).catch((error: unknown) => {
    if (!(error instanceof RefusedError)) throw error
    const { message, status } = error
    if (status !== 412) throw new RefusedError(`${service}: ${message}`, status)
    throw new CommandError(`${service} was changed by somebody else meanwhile, and is left as it is: apply again`)
  })
}

async function approve(yes: boolean): Promise<void> {
  if (yes) return
  if (!canAsk())
    throw new CommandError('nobody is here to be asked: give --yes to apply this, or --dry-run to only look')
  if (!(await confirm('Apply?'))) throw new CommandError('nothing was changed')
}

function stoppedAt({ service }: Step, done: readonly Step[], error: unknown): never {
  const { message } = error as Error
  const applied =
    done.length === 0 ? 'nothing was applied' : `applied before it: ${done.map((step) => step.service).join(', ')}`
  throw new CommandError(`${message.startsWith(service) ? '' : `${service}: `}${message}; ${applied}`)
}

const pathOf = (service: string): string => `/v1/services/${encodeURIComponent(service)}`

function describePlan(plan: readonly Step[]): string {
  const count = (action: Step['action']): number => plan.filter((step) => step.action === action).length
  const counts = [
    [count('create'), 'to create'],
    [count('change'), 'to change'],
    [count('delete'), 'to delete'],
    [count('none'), 'unchanged'],
  ] as const
  const summary = counts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`)
  return [...plan.flatMap(describeStep), summary.join(', ') || 'no services in the files'].join('\n')
}

const headings: Readonly<Record<Step['action'], string>> = {
  create: 'is new',
  change: 'changes',
  delete: 'is deleted; what it points at outside stays as it is',
  none: 'is unchanged',
}

function describeStep({ service, action, changes }: Step): string[] {
  const lines = changes.flatMap(({ key, before, after }) => [
    ...(before === null ? [] : [paint('red', `  - ${key}: ${before}`)]),
    ...(after === null ? [] : [paint('green', `  + ${key}: ${after}`)]),
  ])
  return [`${service} ${headings[action]}`, ...lines]
}
