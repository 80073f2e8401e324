/**
 * How evenly advertisements leave, on an idle machine and on one with busy loops, ours and keepalived's side by side.
 *
 *   npm run bench:jitter -- [--rounds N] [--seconds N | --minutes N] [--only 10ms,100ms-hogs] [--sides holdfast,…]
 *                           [--json] [--write]
 *
 * All sides in turn in every round, the first one changing. `--write` puts the tables into RESULTS.md.
 */
import { parseArgs } from 'node:util'
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import { keepalived } from '../support/peers.ts'
import { jitterRound, type RoundResult } from './jitter-rounds.ts'
import type { Program } from './many.ts'
import { conditions, inTurn, spread, table, writeSection, wrongNames, wrongNumber } from './report.ts'

type Case = { readonly name: string; readonly intervalMs: number; readonly hogs: number }

const cases: readonly Case[] = [
  { name: '10ms', intervalMs: 10, hogs: 0 },
  { name: '100ms', intervalMs: 100, hogs: 0 },
  { name: '10ms-hogs', intervalMs: 10, hogs: 4 },
  { name: '100ms-hogs', intervalMs: 100, hogs: 4 },
]

type Side = { readonly program: Program; readonly realtime: boolean }

const sides: Readonly<Record<string, Side>> = {
  holdfast: { program: 'holdfast', realtime: true },
  keepalived: { program: 'keepalived', realtime: true },
  'holdfast-plain': { program: 'holdfast', realtime: false },
  'keepalived-plain': { program: 'keepalived', realtime: false },
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '20' },
    minutes: { type: 'string' },
    only: { type: 'string', default: cases.map(({ name }) => name).join(',') },
    sides: { type: 'string', default: Object.keys(sides).join(',') },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

/** Of the interval: a gap longer by more than this is late. */
const lateShare = 0.1

type Found = { readonly of: Case; readonly side: string; readonly rounds: RoundResult[] }

async function playAll(of: Case, rounds: number, seconds: number): Promise<Found[]> {
  const found = options.sides.split(',').map((side): Found => ({ of, side, rounds: [] }))
  for (let round = 0; round < rounds; round += 1) {
    for (const { side, rounds: played } of inTurn(found, round)) {
      played.push(await jitterRound({ ...sides[side]!, intervalMs: of.intervalMs, hogs: of.hogs, seconds }))
      if (process.stderr.isTTY) process.stderr.write(`  ${of.name} ${side}\n`)
    }
  }
  return found
}

function summary({ of, side, rounds }: Found) {
  const gaps = rounds.flatMap(({ gapsMs }) => gapsMs)
  const longer = (than: number): number => gaps.filter((gap) => gap > than).length
  const sum = (value: (round: RoundResult) => number): number =>
    rounds.reduce((total, round) => total + value(round), 0)
  return {
    ...{ of: of.name, side, gaps: gaps.length },
    gapMs: gaps.length === 0 ? null : spread(gaps),
    latePercent: (longer(of.intervalMs * (1 + lateShare)) / gaps.length) * 100,
    /** Gaps in which a whole advertisement is missing. */
    missing: longer(of.intervalMs * 2),
    strangers: sum(({ strangers }) => strangers),
    changes: sum(({ changes }) => changes),
  }
}

type Summary = ReturnType<typeof summary>

function describe(found: readonly Summary[]): string {
  const head = ['adverts', 'program', 'gaps', 'p50', 'p90', 'p99', 'max', 'late', 'over 2 intervals', 'false takeovers']
  const ms = (value: number | undefined): string => value?.toFixed(3) ?? '–'
  const rows = found.map(({ of, side, gaps, gapMs, latePercent, missing, strangers, changes }) => [
    ...[of, side, String(gaps), ms(gapMs?.p50), ms(gapMs?.p90), ms(gapMs?.p99), ms(gapMs?.max)],
    ...[`${latePercent.toFixed(2)} %`, String(missing)],
    strangers + changes === 0 ? 'none' : `${changes} changes, ${strangers} adverts of the backup`,
  ])
  return table(head, rows)
}

const legend = [
  'Gaps between the advertisements of one active router with a backup, in ms, by the kernel’s stamps at the client.',
  'Late: longer than the interval by more than a tenth. Hogs: four busy loops of ordinary priority on the same processors.',
  'Plain: without real time and locked memory (`realtime: false`; no `vrrp_rt_priority`).',
  '',
].join('\n')

async function main(): Promise<number> {
  const names = cases.map(({ name }) => name)
  const seconds = options.minutes === undefined ? Number(options.seconds) : Number(options.minutes) * 60
  const usage =
    wrongNumber('rounds', options.rounds) ??
    wrongNumber('seconds', options.seconds) ??
    (options.minutes === undefined ? undefined : wrongNumber('minutes', options.minutes)) ??
    wrongNames('only', options.only, names) ??
    wrongNames('sides', options.sides, Object.keys(sides))
  const problem = usage ?? sandboxProblem() ?? (options.sides.includes('keepalived') ? keepalived.missing : undefined)
  if (problem !== undefined) {
    console.error(problem)
    return 1
  }
  const found: Summary[] = []
  for (const of of cases.filter(({ name }) => options.only.split(',').includes(name))) {
    found.push(...(await playAll(of, Number(options.rounds), seconds)).map(summary))
  }
  const said = conditions('npm run bench:jitter', [`VRRPv3 over IPv4. ${options.rounds} rounds of ${seconds} s.`])
  const text = [said, legend, describe(found)].join('\n')
  console.log(options.json ? JSON.stringify({ conditions: said, found }) : text)
  if (options.write) writeSection('bench:jitter', text)
  return 0
}

process.exitCode = await main()
