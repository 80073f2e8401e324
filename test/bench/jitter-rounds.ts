/**
 * One round of the jitter bench: a fresh lab, an active router and its backup, busy loops beside them if wanted, and
 * every gap between advertisements as the client's kernel stamps them.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLog } from '../../infra/lab/router-process.ts'
import { createLab, type Lab } from '../../infra/lab/topology.ts'
import { startHogs } from '../support/usage.ts'
import type { Gaps } from './gaps-main.ts'
import { changesLogged, isSettled, type Program, startManyPair } from './many.ts'

export type Round = {
  readonly program: Program
  readonly realtime: boolean
  readonly intervalMs: number
  /** Busy loops at ordinary priority, as somebody else's runaway programs. */
  readonly hogs: number
  readonly seconds: number
}

export type RoundResult = Gaps & {
  /** Changes of state that both nodes have logged: false takeovers and their ends. */
  readonly changes: number
}

export async function jitterRound({ program, realtime, intervalMs, hogs, seconds }: Round): Promise<RoundResult> {
  await using lab = await createLab({ nodes: ['n1', 'n2'] })
  const count = 1
  const { n1, n2 } = await startManyPair(lab, { program, count, intervalMs, realtime })
  if (!(await isSettled(lab, count, 30_000))) throw new Error(`${program} has not settled within 30 s`)
  const gaps = await startGaps(lab, '10.77.0.1')
  await startHogs(lab, hogs)
  await sleep(1_000)
  await gaps.sinceAsked()
  const before = changesLogged(n1) + changesLogged(n2)
  await sleep(seconds * 1_000)
  const found = await gaps.sinceAsked()
  return { ...found, changes: changesLogged(n1) + changesLogged(n2) - before }
}

export async function startGaps(lab: Lab, source: string) {
  const log = createLog('the counter of gaps')
  const file = join(import.meta.dirname, 'gaps-main.ts')
  const program = await lab.spawn(process.execPath, ['--single-threaded', file, source], {
    in: 'client',
    onLine: log.add,
  })
  void program.exited.then((code) => log.end(`ended with ${code}`))
  await log.until(({ text }) => text === '{"ready":true}', 30_000)
  return {
    /** What has come since the last call. */
    async sinceAsked(): Promise<Gaps> {
      const from = log.lines.length
      program.stdin.write('report\n')
      const { text } = await log.until(({ text }) => text.startsWith('{"gapsMs"'), 30_000, from)
      return JSON.parse(text) as Gaps
    },
  }
}
