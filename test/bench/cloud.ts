/**
 * How soon after a takeover on the LAN the cloud is told: Holdfast, and keepalived with a notify script, side by side.
 *
 *   npm run bench:cloud -- [--rounds N] [--only stop,kill,cable] [--json] [--write]
 *
 * Rounds alternate between the two at the same strict EC2. Only the ratios mean anything on another machine. `--write`
 * puts the tables into RESULTS.md.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import { keepalived, programPath } from '../support/peers.ts'
import { cloudRound, type Event, type Program, type RoundResult } from './cloud-rounds.ts'
import { conditions, type Spread, spread, table, writeSection } from './report.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', default: 'stop,kill,cable' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

const programs: readonly Program[] = ['holdfast', 'keepalived']

/** How each event is called. */
const events: Readonly<Record<Event, string>> = {
  stop: 'asked to end (SIGTERM)',
  kill: 'killed (SIGKILL)',
  cable: 'cable pulled',
}

/** Debian's, before any other that is first on PATH. */
const aws = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : programPath('aws')

type Result = { readonly event: Event; readonly program: Program; readonly rounds: readonly RoundResult[] }

async function playAll(event: Event, count: number): Promise<Result[]> {
  const played: Record<Program, RoundResult[]> = { holdfast: [], keepalived: [] }
  for (let i = 0; i < count; i += 1) {
    for (const program of i % 2 === 0 ? programs : programs.toReversed()) {
      const result = await cloudRound({ program, event, phase: (i + 0.5) / count, aws: aws! })
      played[program].push(result)
      if (process.stderr.isTTY) process.stderr.write(`  ${event} ${program}: ${result.associateMs.toFixed(2)} ms\n`)
    }
  }
  return programs.map((program) => ({ event, program, rounds: played[program] }))
}

function summary({ event, program, rounds }: Result) {
  const waited = rounds.flatMap(({ associateMs, confirmMs }) =>
    confirmMs === null ? [] : [{ confirmMs, besidesMs: associateMs - confirmMs }],
  )
  return {
    ...{ event, program, rounds: rounds.length },
    associateMs: spread(rounds.map(({ associateMs }) => associateMs)),
    confirmMs: waited.length === 0 ? null : spread(waited.map(({ confirmMs }) => confirmMs)),
    /** Round by round without that wait. */
    besidesMs: waited.length === 0 ? null : spread(waited.map(({ besidesMs }) => besidesMs)),
    warm: rounds.filter(({ warm }) => warm).length,
  }
}

type Summary = ReturnType<typeof summary>

const ms = (value: number): string => (Math.abs(value) < 100 ? value.toFixed(1) : value.toFixed(0))
const four = ({ min, p50, p90, max }: Spread): string => [min, p50, p90, max].map(ms).join(' / ')

function describe(found: readonly Summary[]): string {
  const rows = found.map((row) => {
    const peer = found.find(({ event, program }) => event === row.event && program === 'keepalived')!
    const ratio = row.program === 'holdfast' ? (row.associateMs.p50 / peer.associateMs.p50).toFixed(3) : ''
    return [
      ...[events[row.event], row.program, String(row.rounds), four(row.associateMs)],
      ...[row.confirmMs === null ? '–' : four(row.confirmMs), `${row.warm} of ${row.rounds}`, ratio],
    ]
  })
  const head = ['the active router is', 'program', 'rounds', 'AssociateAddress', 'confirm', 'warm', 'ratio']
  const lines = found.flatMap(({ event, besidesMs }) =>
    besidesMs === null ? [] : [`Without \`confirm\`, AssociateAddress after "${events[event]}": ${four(besidesMs)}.`],
  )
  return [table(head, rows), ...(lines.length > 0 ? ['', ...lines] : [])].join('\n')
}

const legend = [
  'From the new active router’s first advertisement, as a tap on the client’s wire reads it, until EC2 has the first byte',
  'of AssociateAddress; least / p50 / p90 / max in ms. Holdfast: agent, control, EC2, to which control',
  'writes by its last look. keepalived: a notify_master script that calls the AWS CLI. The same',
  'strict EC2 on the lab’s switch for both: no TLS and no distance, which an EC2 of AWS would add to both alike.',
  '',
  'Confirm: when the cable is pulled, control still has the former owner’s link, asks it, and believes its rival after',
  '`confirm` (150 ms) of silence: that wait, by control’s own clock, is in the figures before it.',
  'Warm: AssociateAddress came over a connection from before the event, as control’s looks keep one.',
  '',
].join('\n')

function conditionsOf(): string {
  const cli = execFileSync('sh', ['-c', `${aws} --version 2>&1`], { encoding: 'utf8' })
    .split(' ')
    .slice(0, 2)
  const lines = [`${cli.join(', ')}. VRRPv3, an advertisement each 100 ms, both in real time.`]
  return conditions('npm run bench:cloud', lines)
}

async function main(): Promise<number> {
  const chosen = options.only.split(',') as Event[]
  const usage = !/^[1-9]\d*$/.test(options.rounds)
    ? `--rounds ${options.rounds}: must be a number from 1`
    : chosen.some((event) => !Object.hasOwn(events, event))
      ? `--only: must name some of ${Object.keys(events).join(', ')}`
      : undefined
  const missing = aws === undefined ? 'the AWS CLI is missing: npm run peers installs it' : undefined
  const problem = usage ?? sandboxProblem() ?? keepalived.missing ?? missing
  if (problem !== undefined) {
    console.error(problem)
    return 1
  }
  const found: Summary[] = []
  for (const event of chosen) found.push(...(await playAll(event, Number(options.rounds))).map(summary))
  const text = [conditionsOf(), legend, describe(found)].join('\n')
  console.log(options.json ? JSON.stringify({ conditions: conditionsOf(), found }) : text)
  if (options.write) writeSection('bench:cloud', text)
  return 0
}

process.exitCode = await main()
