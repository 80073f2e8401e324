/**
 * What virtual routers cost while nothing happens, ours and keepalived's side by side: CPU and memory.
 *
 *   npm run bench:cpu -- [--rounds N] [--seconds N] [--only 250x100ms,1x1s] [--json] [--write]
 *
 * Both programs in turn in every round, the first one changing. Only the ratios mean anything on another machine.
 * `--write` puts the tables into RESULTS.md.
 */
import { parseArgs } from 'node:util'
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import { keepalived } from '../support/peers.ts'
import { cpuRound, type RoundResult } from './cpu-rounds.ts'
import type { Program } from './many.ts'
import { conditions, inTurn, median, table, writeSection, wrongNames, wrongNumber } from './report.ts'

type Case = { readonly name: string; readonly count: number; readonly intervalMs: number }

const intervals = { '1s': 1000, '100ms': 100, '10ms': 10 }

const cases: readonly Case[] = [1, 50, 250].flatMap((count) =>
  Object.entries(intervals).map(([word, intervalMs]) => ({ name: `${count}x${word}`, count, intervalMs })),
)

const programs: readonly Program[] = ['holdfast', 'keepalived']

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: cases.map(({ name }) => name).join(',') },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

type Found = { readonly of: Case; readonly program: Program; readonly rounds: RoundResult[] }

async function playAll(of: Case, rounds: number, seconds: number): Promise<Found[]> {
  const found = programs.map((program): Found => ({ of, program, rounds: [] }))
  for (let round = 0; round < rounds; round += 1) {
    for (const side of inTurn(found, round)) {
      const result = await cpuRound({ program: side.program, count: of.count, intervalMs: of.intervalMs, seconds })
      side.rounds.push(result)
      if (process.stderr.isTTY) process.stderr.write(`  ${of.name} ${side.program}: ${progress(result)}\n`)
    }
  }
  return found
}

const progress = ({ active, backup, sent, changes }: RoundResult): string =>
  `${active.cpu.toFixed(2)} % active, ${backup.cpu.toFixed(2)} % backup, ${sent.toFixed(0)} packets/s, ${changes} changes`

/** Medians of the rounds; of what should not be, the worst. */
function summary({ of, program, rounds }: Found) {
  const of_ = (value: (round: RoundResult) => number): number => median(rounds.map(value))
  const usage = (side: 'active' | 'backup') => ({
    cpu: of_((round) => round[side].cpu),
    vrrpCpu: of_((round) => round[side].vrrpCpu),
    pss: of_((round) => round[side].pss),
    vrrpPss: of_((round) => round[side].vrrpPss),
    rss: of_((round) => round[side].rss),
  })
  return {
    ...of,
    program,
    rounds: rounds.length,
    sent: of_(({ sent }) => sent),
    heard: of_(({ heard }) => heard),
    changes: Math.max(...rounds.map(({ changes }) => changes)),
    held: rounds.map(({ held }) => held).find(([active, backup]) => active !== of.count || backup !== 0),
    active: usage('active'),
    backup: usage('backup'),
  }
}

type Summary = ReturnType<typeof summary>

function describe(found: readonly Summary[]): string {
  const head = [
    ...['routers', 'adverts', 'program', 'packets/s', 'active: CPU %', 'VRRP alone', 'ratio'],
    ...['backup: CPU %', 'VRRP alone', 'ratio', 'active: PSS MiB', 'VRRP alone', 'RSS', 'ratio', 'at rest'],
  ]
  const rows = found.map((row) => {
    const peer = found.find(({ name, program }) => name === row.name && program === 'keepalived')!
    const ratio = (value: (side: Summary) => number): string =>
      row.program === 'holdfast' ? (value(row) / value(peer)).toFixed(2) : ''
    return [
      ...[String(row.count), row.name.split('x')[1]!, row.program, row.sent.toFixed(0)],
      ...[percent(row.active.cpu), percent(row.active.vrrpCpu), ratio(({ active }) => active.cpu)],
      ...[percent(row.backup.cpu), percent(row.backup.vrrpCpu), ratio(({ backup }) => backup.cpu)],
      ...[row.active.pss.toFixed(1), row.active.vrrpPss.toFixed(1), row.active.rss.toFixed(1)],
      ...[ratio(({ active }) => active.pss), restOf(row)],
    ]
  })
  return table(head, rows)
}

const percent = (value: number): string => value.toFixed(value < 10 ? 2 : 1)

/** Nothing changes in a steady state; what did is said. */
function restOf({ changes, held }: Summary): string {
  if (held !== undefined) return `no: ${changes} changes, active has ${held[0]}, backup ${held[1]}`
  return changes === 0 ? 'yes' : `${changes} changes`
}

const legend = [
  'Two nodes on one switch, the same virtual routers on both, one address each; n1 (priority 200) active, n2 (100) backup.',
  'CPU: of one processor, all threads of the program and its children, from eight seconds after n1 is active; the work of the',
  'kernel on the way of a packet is charged to who sends it, alike for both. VRRP alone: without the parent',
  'process. Median of the rounds; ratio: holdfast to keepalived. At rest: whether n1 kept all addresses without a change.',
  '',
].join('\n')

const sameForBoth = [
  'VRRPv3 over IPv4, in real time with locked memory both: ours by its defaults, keepalived with vrrp_rt_priority 50,',
  'vrrp_no_swap, vrrp_rlimit_rttime 1000 s, its log off but for changes of state.',
]

async function main(): Promise<number> {
  const names = cases.map(({ name }) => name)
  const usage =
    wrongNumber('rounds', options.rounds) ??
    wrongNumber('seconds', options.seconds) ??
    wrongNames('only', options.only, names)
  const problem = usage ?? sandboxProblem() ?? keepalived.missing
  if (problem !== undefined) {
    console.error(problem)
    return 1
  }
  const found: Summary[] = []
  for (const of of cases.filter(({ name }) => options.only.split(',').includes(name))) {
    found.push(...(await playAll(of, Number(options.rounds), Number(options.seconds))).map(summary))
  }
  const lines = [...sameForBoth, `${options.rounds} rounds of ${options.seconds} s.`]
  const said = conditions('npm run bench:cpu', lines)
  const text = [said, legend, describe(found)].join('\n')
  console.log(options.json ? JSON.stringify({ conditions: said, found }) : text)
  if (options.write) writeSection('bench:cpu', text)
  return 0
}

process.exitCode = await main()
