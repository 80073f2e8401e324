/**
 * Reloading: the file is read and checked first, what is different is found, and only then anything changes.
 *
 *   SIGHUP ──────┐
 *   POST /reload ┴─▶ read ──▶ compare ──▶ apply
 *                      └─ bad ──┴─ not for a running agent ──▶ refused, and nothing has changed
 *
 * One after the other, however many ask at once.
 */
import { type Changes, changesBetween, fixedChanges } from './config/changes.ts'
import type { AgentConfig } from './config.ts'
import type { Log } from './log.ts'

export type ReloadOutcome =
  | ({ readonly kind: 'reloaded' } & Changes)
  /** The file is to blame, and nothing has changed. A line each. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] }
  /** The machine is. */
  | { readonly kind: 'failed'; readonly problem: string }

/** The configuration as the file has it now, or all that is wrong with it. */
export type Reread = () => { readonly config: AgentConfig } | { readonly problems: readonly string[] }

export type ReloadPorts = {
  readonly current: () => AgentConfig
  readonly reread: Reread
  /** Null when everything runs by it; else what does not. */
  readonly apply: (next: AgentConfig, changes: Changes) => Promise<string | null>
  readonly log: Log
}

export type Reloads = {
  readonly reload: () => Promise<ReloadOutcome>
  /** None is under way, and none begins any more. */
  readonly end: () => Promise<void>
}

export function createReloads(ports: ReloadPorts): Reloads {
  let last: Promise<unknown> = Promise.resolve()
  let ended = false
  return {
    reload() {
      const outcome = last.then(() =>
        ended ? ({ kind: 'failed', problem: 'the agent is stopping' } as const) : reloadOnce(ports),
      )
      last = outcome.catch(() => {})
      return outcome
    },
    async end() {
      ended = true
      await last
    },
  }
}

async function reloadOnce({ current, reread, apply, log }: ReloadPorts): Promise<ReloadOutcome> {
  const read = reread()
  const problems = 'problems' in read ? read.problems : refusals(current(), read.config)
  if ('problems' in read || problems.length > 0) {
    const msg = `nothing is reloaded: ${problems.join('; ')}`
    log('error', { event: 'reload-refused', problems, msg })
    return { kind: 'refused', problems }
  }
  const { config: next } = read
  const changes = changesBetween(current(), next)
  const problem = await apply(next, changes)
  if (problem !== null) {
    log('error', { event: 'reload-failed', problem, msg: `reload: ${problem}` })
    return { kind: 'failed', problem }
  }
  const said = describeChanges(changes)
  log('info', { event: 'reloaded', ...changes, msg: `reloaded: ${said.join('; ')}` })
  return { kind: 'reloaded', ...changes }
}

function refusals(before: AgentConfig, after: AgentConfig): string[] {
  return fixedChanges(before, after).map((key) => `${key} can’t change while the agent runs: restart the agent`)
}

/** A line for each service, check and part that is different; one that says so when nothing is. */
export function describeChanges({ services, checks, control, peers }: Changes): string[] {
  const line = (what: string, change: Changes['services'][number]): string =>
    `${what}${change.name}: ${change.kind}${change.kind === 'changed' ? ` (${change.keys.join(', ')})` : ''}`
  const lines = [
    ...services.map((change) => line('', change)),
    ...checks.map((change) => line('check ', change)),
    ...(control ? ['control: changed'] : []),
    ...(peers ? ['peers: changed'] : []),
  ]
  return lines.length === 0 ? ['nothing is different'] : lines
}
