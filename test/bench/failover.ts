/**
 * How long a client is without its service when the active router goes, ours and keepalived's side by side.
 *
 *   npm run bench:failover -- [--rounds N] [--only crash-10ms,stop-1000ms] [--sides holdfast,keepalived] [--json]
 *
 * Rounds alternate between the two, so that whatever else the machine does hits both. Only the ratios mean anything on
 * another machine. `--sides keepalived,keepalived` shows the noise: what ratio two equals get.
 */
import { execFileSync } from 'node:child_process'
import { availableParallelism, release } from 'node:os'
import { parseArgs } from 'node:util'
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import { keepalived, programPath } from '../support/peers.ts'
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
    },
  })
  const chosen = scenarios.filter(({ name }) => values.only === undefined || values.only.split(',').includes(name))
  const sides = values.sides.split(',')
  const problem = wrongUsage(values.rounds, chosen, sides) ?? sandboxProblem() ?? missingProgram(sides)
  if (problem !== undefined) {
    console.error(problem)
    return 1
  }
  if (!values.json) console.log(preconditions())
  const results: Result[] = []
  for (const scenario of chosen) {
    const rounds = values.rounds === undefined ? scenario.rounds : Number(values.rounds)
    const found = await playAll(scenario, rounds, ableTo(scenario, sides as Program[]))
    results.push(...found)
    if (!values.json) for (const result of found) console.log(describe(result))
  }
  if (values.json) console.log(JSON.stringify({ preconditions: preconditions(), results: results.map(summary) }))
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

function preconditions(): string {
  const path = programPath('keepalived')
  const version = path === undefined ? '' : execVersion(path)
  return [
    'What a client sees that probes the address with ICMP at 1 kHz, in ms: median (lowest to highest).',
    `Linux ${release()}, ${availableParallelism()} cores, Node ${process.version}${version}. Namespaces, veth, one bridge.`,
    'VRRPv3, priorities 200 and 100, one address. Both in real time with locked memory: ours by its defaults, keepalived',
    'with vrrp_rt_priority 50, vrrp_no_swap, vrrp_rlimit_rttime 1000 s, and no detailed log.',
    process.getuid?.() === 0 ? '' : 'Not root: real time may have been refused to both.',
  ]
    .filter((line) => line !== '')
    .join('\n')
}

/** keepalived says its version on standard error. */
function execVersion(path: string): string {
  const said = execFileSync('sh', ['-c', `${path} --version 2>&1`], { encoding: 'utf8' })
  return `, keepalived ${/v(\d[\d.]*)/.exec(said)?.[1] ?? '?'}`
}

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

type Spread = { readonly median: number; readonly min: number; readonly max: number }

function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** `ratio`: of the medians, first side to second; undefined when the second lost nothing. */
function summary({ scenario, event, intervalMs, series }: Result) {
  const sides = series.map(({ side, costs }) => ({
    side,
    rounds: costs.length,
    outageMs: spread(costs.map(({ outageMs }) => outageMs)),
    lost: spread(costs.map(({ lost }) => lost)),
  }))
  const [first, second] = sides.map(({ outageMs }) => outageMs.median)
  const ratio = second !== undefined && second > 0 ? first! / second : undefined
  return { scenario, event, intervalMs, sides, ratio }
}

function describe(result: Result): string {
  const { event, intervalMs, sides, ratio } = summary(result)
  const columns = sides.map(({ side, rounds, outageMs, lost }) => {
    const range = `(${outageMs.min.toFixed(1)} to ${outageMs.max.toFixed(1)})`
    return `${side} ${outageMs.median.toFixed(1)} ${range} ms, ${lost.median} lost, ${rounds} rounds`.padEnd(70)
  })
  const verdict = ratio === undefined ? '' : `ratio ${ratio.toFixed(3)}`
  return `${event}, ${intervalMs} ms adverts`.padEnd(38) + columns.join('') + verdict
}

process.exitCode = await main()
