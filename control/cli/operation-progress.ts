/**
 * Stays with moves until they have ended: a line for each step as it is done and, on a terminal, a line below them
 * that says what is still awaited. Ctrl-C ends the watching and not the moves.
 */
import type { Operation } from '../decision.ts'
import { type Access, callControl } from './client.ts'
import { CommandError, mayPass } from './failure.ts'
import { createLive, type Live, paint } from './terminal.ts'

export type Watching = Access & {
  /** Prints nothing: the result is printed when it has ended. */
  readonly quiet: boolean
}

/** How long control is asked to wait for an end before it says how far a move is, in milliseconds. */
const lookMs = 250
/** So many moves are asked for at once: a drain may lead to many. */
const atOnce = 10
/** How long a control that does not answer, such as one that restarts, is asked again, in milliseconds. */
const patienceMs = 60_000

/** What every operation has that is read here. */
export const operationKeys = ['id', 'service', 'status', 'steps'] as const

/** The operations as they ended, in the order given. */
export async function followOperations(first: readonly Operation[], watching: Watching): Promise<Operation[]> {
  const known = new Map(first.map((operation) => [operation.id, operation]))
  const report = createReport(first, watching.quiet)
  const leave = (): void => {
    report.end()
    process.stderr.write(`${interrupted([...known.values()])}\n`)
  }
  const interrupt = (): void => {
    leave()
    process.exit(1)
  }
  process.once('SIGINT', interrupt)
  try {
    for (;;) {
      for (const operation of known.values()) report.show(operation)
      const running = [...known.values()].filter(({ status }) => status === 'running')
      if (running.length === 0) return [...known.values()]
      report.wait(running)
      for (const operation of await look(running, watching)) known.set(operation.id, operation)
    }
  } catch (error) {
    leave()
    throw error
  } finally {
    process.off('SIGINT', interrupt)
    report.end()
  }
}

/** The first is waited for, so that its end is seen at once; it paces the looks at the others. */
async function look(running: readonly Operation[], access: Access): Promise<Operation[]> {
  const [first, ...others] = running
  const waited = patiently(() => ask(access, first!.id, `?wait=${lookMs}ms`))
  const asked: Operation[] = []
  for (let i = 0; i < others.length; i += atOnce) {
    const some = others.slice(i, i + atOnce)
    asked.push(...(await Promise.all(some.map(({ id }) => patiently(() => ask(access, id, ''))))))
  }
  return [await waited, ...asked]
}

async function ask(access: Access, id: string, query: string): Promise<Operation> {
  return (await callControl(access, 'GET', `/v1/operations/${id}${query}`, {
    has: operationKeys,
    waitMs: lookMs,
  })) as Operation
}

async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + patienceMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!mayPass(error) || performance.now() >= until) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}

type Report = { show(operation: Operation): void; wait(running: readonly Operation[]): void; end(): void }

function createReport(operations: readonly Operation[], quiet: boolean): Report {
  if (quiet) return { show: () => undefined, wait: () => undefined, end: () => undefined }
  const live: Live | null = process.stdout.isTTY ? createLive(process.stdout) : null
  const several = operations.length > 1
  const printed = new Map<string, number>()
  const begun = performance.now()
  let awaited: readonly Operation[] = []
  const redraw = (): void => live?.draw(paint('dim', waitingFor(awaited, performance.now() - begun)))
  const ticking = live === null ? undefined : setInterval(redraw, 100)
  return {
    show: (operation) => {
      for (const line of stepLines(operation, printed.get(operation.id) ?? 0)) {
        const text = several ? `${operation.service}: ${line}` : line
        if (live === null) process.stdout.write(`${text}\n`)
        else live.print(text)
      }
      printed.set(operation.id, operation.steps.length)
    },
    wait: (running) => {
      awaited = running
      redraw()
    },
    end: () => {
      clearInterval(ticking)
      live?.clear()
    },
  }
}

/** With the time since the request. */
export function stepLines({ steps }: Operation, from: number): string[] {
  return steps.slice(from).map(({ name, afterMs }) => `${String(Math.round(afterMs)).padStart(6)} ms  ${name}`)
}

/** What is awaited after a step. */
const next: Readonly<Record<string, string>> = {
  requested: 'the target to be told',
  told: 'the target to become active',
  detected: 'the owner to change',
  'target active': 'the owner to change',
  'owner moved': 'the bindings to follow',
  settled: 'the probe through its own address',
}

export function waitingFor(running: readonly Operation[], elapsedMs: number): string {
  const elapsed = `${(elapsedMs / 1_000).toFixed(1)} s`
  const [only] = running
  if (running.length === 1 && only !== undefined) {
    const last = only.steps.findLast(({ name }) => next[name] !== undefined)?.name ?? 'requested'
    return `   … ${elapsed}  ${only.service} waits for ${next[last]} (Ctrl-C leaves it running)`
  }
  const names = running.map(({ service }) => service).join(', ')
  return `   … ${elapsed}  ${running.length} still move: ${names} (Ctrl-C leaves them running)`
}

export function interrupted(operations: readonly Operation[]): string {
  const running = operations.filter(({ status }) => status === 'running')
  return running
    .map(({ service, to, id }) => `${service} goes on moving to ${to}; how it goes: holdfast operation ${id}`)
    .join('\n')
}

/** Fails with the moves that did. */
export function refuseFailed(operations: readonly Operation[]): void {
  const failed = operations.filter(({ status }) => status === 'failed')
  if (failed.length === 0) return
  const said = failed.map(({ service, failure }) => `${service} did not move: ${failure ?? 'no reason given'}`)
  throw new CommandError(said.join('; '))
}
