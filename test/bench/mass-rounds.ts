/**
 * One round of a mass takeover: 250 virtual routers go at once when the cable of their active node is pulled.
 *
 * What counts is the way from the first address to the last: as they are announced, and as they answer a client that
 * knew all of them where they were before.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMs } from '../../infra/lab/clock.ts'
import { createLog } from '../../infra/lab/router-process.ts'
import { createLab, type Lab } from '../../infra/lab/topology.ts'
import type { Round, RoundResult } from './failover-rounds.ts'
import { addressOf, isSettled, startManyPair } from './many.ts'
import type { Mass } from './mass-main.ts'

const count = 250

/** Second bursts of announcements are over by then. */
const quietAfterMs = 7_000

export async function massRound({ program, intervalMs, phase }: Round): Promise<RoundResult> {
  await using lab = await createLab({ nodes: ['n1', 'n2'] })
  // Addresses of a network that nobody else has, so that all 250 fit.
  await lab.run('ip', ['-n', 'client', 'route', 'add', '10.77.1.0/24', 'dev', 'eth0'])
  await startManyPair(lab, { program, count, intervalMs })
  if (!(await isSettled(lab, count, 60_000)))
    throw new Error(`${program} has not settled with ${count} routers in 60 s`)
  const client = await startClient(lab)
  await client.untilAllAnswer()
  await sleep(quietAfterMs + phase * intervalMs)
  const cutAt = await lab.cableOut('n1')
  const { announcedAt, answeredAt } = await client.untilAllAnswer()
  const [announced, answered] = [instants(announcedAt), instants(answeredAt)]
  const lost = count - answered.length
  return {
    'until the first gratuitous ARP': { outageMs: Math.min(...announced) - cutAt, lost },
    'first to last gratuitous ARP': { outageMs: Math.max(...announced) - Math.min(...announced), lost },
    'until the last address answers': { outageMs: Math.max(...answered) - cutAt, lost },
    'first to last answer': { outageMs: Math.max(...answered) - Math.min(...answered), lost },
  }
}

const instants = (all: readonly (number | null)[]): number[] => all.filter((each) => each !== null)

async function startClient(lab: Lab) {
  const log = createLog('the client of many addresses')
  const addresses = JSON.stringify(Array.from({ length: count }, (_, i) => addressOf(i)))
  const file = join(import.meta.dirname, 'mass-main.ts')
  const program = await lab.spawn(process.execPath, ['--single-threaded', file, addresses], {
    in: 'client',
    onLine: log.add,
  })
  void program.exited.then((code) => log.end(`ended with ${code}`))
  await log.until(({ text }) => text === '{"ready":true}', 30_000)
  const report = async (): Promise<Mass> => {
    const from = log.lines.length
    program.stdin.write('report\n')
    const { text } = await log.until(({ text }) => text.startsWith('{"announcedAt"'), 30_000, from)
    return JSON.parse(text) as Mass
  }
  return {
    /** Asks them anew, until each has answered or 30 s are over. */
    async untilAllAnswer(): Promise<Mass> {
      program.stdin.write('begin\n')
      for (const end = nowMs() + 30_000; ; await sleep(100)) {
        const seen = await report()
        if (nowMs() > end || !seen.answeredAt.includes(null)) return seen
      }
    },
  }
}
