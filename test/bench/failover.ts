/**
 * How long a client is without its service when the active router goes, ours and keepalived's side by side.
 *
 *   npm run bench:failover -- [--rounds N] [--only crash-10ms,stop-v2-1000ms,crash-ipv6-100ms,mass-100ms]
 *                             [--sides holdfast,keepalived] [--json] [--write]
 *
 * Rounds alternate between the two, so that whatever else the machine does hits both. Only the ratios mean anything on
 * another machine. `--sides keepalived,keepalived` shows the noise: what ratio two equals get. `--write` puts the table
 * into RESULTS.md.
 */
import { parseArgs } from 'node:util'
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import { keepalived } from '../support/peers.ts'
import {
  type Cost,
  crashRound,
  HeldUp,
  type Program,
  type Round,
  type RoundResult,
  stopRound,
  switchoverRound,
} from './failover-rounds.ts'
import { massRound } from './mass-rounds.ts'
import { conditions, median, table, writeSection } from './report.ts'

type Scenario = {
  readonly name: string
  readonly intervalMs: number
  readonly rounds: number
  readonly play: (round: Round) => Promise<RoundResult>
  /** The one program that can do it. Default: both can. */
  readonly only?: Program
}

const scenarios: readonly Scenario[] = [
  { name: 'crash-10ms', intervalMs: 10, rounds: 15, play: crashRound },
  { name: 'crash-100ms', intervalMs: 100, rounds: 11, play: crashRound },
  { name: 'crash-1000ms', intervalMs: 1000, rounds: 5, play: crashRound },
  { name: 'stop-100ms', intervalMs: 100, rounds: 7, play: stopRound },
  { name: 'stop-1000ms', intervalMs: 1000, rounds: 5, play: stopRound },
  { name: 'crash-v2-1000ms', intervalMs: 1000, rounds: 5, play: (round) => crashRound({ ...round, speak: 'v2' }) },
  { name: 'stop-v2-1000ms', intervalMs: 1000, rounds: 5, play: (round) => stopRound({ ...round, speak: 'v2' }) },
  { name: 'crash-ipv6-100ms', intervalMs: 100, rounds: 11, play: (round) => crashRound({ ...round, speak: 'ipv6' }) },
  { name: 'stop-ipv6-100ms', intervalMs: 100, rounds: 7, play: (round) => stopRound({ ...round, speak: 'ipv6' }) },
  { name: 'mass-100ms', intervalMs: 100, rounds: 5, play: massRound },
  { name: 'mass-1000ms', intervalMs: 1000, rounds: 3, play: massRound },
  { name: 'switchover-100ms', intervalMs: 100, rounds: 7, play: switchoverRound, only: 'holdfast' },
  { name: 'switchover-1000ms', intervalMs: 1000, rounds: 5, play: switchoverRound, only: 'holdfast' },
]

/** All costs of one event in one scenario, for one side. */
type Series = { readonly side: string; readonly costs: Cost[] }
type Result = {
  readonly scenario: string
  readonly event: string
  readonly intervalMs: number
  readonly series: Series[]
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      only: { type: 'string' },
      sides: { type: 'string', default: 'holdfast,keepalived' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  })
  const chosen = scenarios.filter(({ name }) => values.only === undefined || values.only.split(',').includes(name))
  const sides = values.sides.split(',')
  const problem = wrongUsage(values.rounds, chosen, sides) ?? sandboxProblem() ?? missingProgram(sides)
  if (problem !== undefined) {
    console.error(problem)
    return 1
  }
  const found: Summary[] = []
  for (const scenario of chosen) {
    const rounds = values.rounds === undefined ? scenario.rounds : Number(values.rounds)
    found.push(...(await playAll(scenario, rounds, ableTo(scenario, sides as Program[]))).map(summary))
  }
  const said = conditions('npm run bench:failover', preconditions)
  const text = [said, legend, describe(found, sides)].join('\n')
  console.log(values.json ? JSON.stringify({ conditions: said, found }) : text)
  if (values.write) writeSection('bench:failover', text)
  return 0
}

function wrongUsage(rounds: string | undefined, chosen: readonly Scenario[], sides: string[]): string | undefined {
  if (rounds !== undefined && !/^[1-9]\d*$/.test(rounds)) return `--rounds ${rounds}: must be a number from 1`
  if (chosen.length === 0) return `--only: must name some of ${scenarios.map(({ name }) => name).join(', ')}`
  if (sides.length !== 2 || sides.some((side) => side !== 'holdfast' && side !== 'keepalived')) {
    return '--sides: must be two of holdfast and keepalived, such as holdfast,keepalived'
  }
  return undefined
}

const missingProgram = (sides: string[]): string | undefined =>
  sides.includes('keepalived') ? keepalived.missing : undefined

const preconditions = [
  'Namespaces, veth, one bridge. Priorities 200 and 100; version 3 over IPv4 and one address where the name of a scenario says',
  'nothing else. Both in real time with locked memory: ours by its defaults, keepalived with vrrp_rt_priority 50,',
  'vrrp_no_swap, vrrp_rlimit_rttime 1000 s, and no detailed log.',
  ...(process.getuid?.() === 0 ? [] : ['Not root: real time may have been refused to both.']),
]

const legend = [
  'How long a client that probes the address with ICMP at 1 kHz is without it: median (least to most) in ms, and the median of',
  'lost probes. Mass: 250 virtual routers whose active node loses its cable; their gratuitous ARP by the kernel’s stamps at the',
  'client, which asks each address every 10 ms until it answers; from when the cable was out. Ratio: of the medians.',
  '',
].join('\n')

const ableTo = ({ only }: Scenario, programs: readonly Program[]): readonly Program[] =>
  only === undefined ? programs : programs.filter((program) => program === only).slice(0, 1)

/** Round by round, both sides in turn, the first one changing; the same phases of the interval for both. */
async function playAll(scenario: Scenario, rounds: number, programs: readonly Program[]): Promise<Result[]> {
  const results = new Map<string, Result>()
  for (let i = 0; i < rounds; i += 1) {
    const inTurn = i % 2 === 0 ? [...programs.entries()] : [...programs.entries()].reverse()
    const played: { readonly side: number; readonly costs: RoundResult }[] = []
    for (const [side, program] of inTurn) {
      const round = { program, intervalMs: scenario.intervalMs, phase: (i + 0.5) / rounds }
      const costs = await playMeasured(scenario, round)
      if (costs === undefined) break
      process.stderr.write(progress(scenario, round, costs))
      played.push({ side, costs })
    }
    // A round counts for both or for neither, or their phases of the interval would differ.
    if (played.length < programs.length) continue
    for (const { side, costs } of played) note(results, { scenario, programs, side, costs })
  }
  return [...results.values()]
}

type Noted = {
  readonly scenario: Scenario
  readonly programs: readonly Program[]
  readonly side: number
  readonly costs: RoundResult
}

function note(results: Map<string, Result>, { scenario, programs, side, costs }: Noted): void {
  for (const [event, cost] of Object.entries(costs)) {
    const series = programs.map((program) => ({ side: program, costs: [] }))
    const result = results.get(event) ?? { scenario: scenario.name, event, intervalMs: scenario.intervalMs, series }
    result.series[side]!.costs.push(cost)
    results.set(event, result)
  }
}

/** Once more when the machine was too busy to measure, for both sides alike. Undefined when it never was quiet enough. */
async function playMeasured(scenario: Scenario, round: Round): Promise<RoundResult | undefined> {
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    try {
      return await scenario.play(round)
    } catch (error) {
      if (!(error instanceof HeldUp)) throw error
      process.stderr.write(`  ${scenario.name} ${round.program}: ${error.message}; this round is repeated\n`)
    }
  }
  process.stderr.write(`  ${scenario.name}: held up ten times in a row; the round is left out for both\n`)
  return undefined
}

function progress({ name }: Scenario, { program, phase }: Round, result: RoundResult): string {
  if (!process.stderr.isTTY) return ''
  const costs = Object.entries(result).map(([event, { outageMs }]) => `${event} ${outageMs.toFixed(1)} ms`)
  return `  ${name} ${program} at phase ${phase.toFixed(2)}: ${costs.join(', ')}\n`
}

/** `ratio`: of the medians, first side to second; undefined when the second lost nothing. */
function summary({ scenario, event, series }: Result) {
  const found = series.map(({ side, costs }) => ({
    side,
    rounds: costs.length,
    outageMs: spreadOf(costs.map(({ outageMs }) => outageMs)),
    lost: median(costs.map(({ lost }) => lost)),
  }))
  const [first, second] = found.map(({ outageMs }) => outageMs.median)
  const ratio = second !== undefined && second > 0 ? first! / second : undefined
  return { scenario, event, sides: found, ratio }
}

type Summary = ReturnType<typeof summary>

function spreadOf(numbers: readonly number[]) {
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) }
}

function describe(found: readonly Summary[], sides: readonly string[]): string {
  const rows = found.map(({ scenario, event, sides: [first, second], ratio }) => {
    const words = [first, second].flatMap((side) => {
      if (side === undefined) return ['–', '–']
      const { median: middle, min, max } = side.outageMs
      return [`${middle.toFixed(1)} (${min.toFixed(1)} to ${max.toFixed(1)})`, String(side.lost)]
    })
    return [scenario, event, String(first!.rounds), ...words, ratio?.toFixed(3) ?? '–']
  })
  return table(['scenario', 'event', 'rounds', ...sides.flatMap((side) => [side, 'lost']), 'ratio'], rows)
}

process.exitCode = await main()
