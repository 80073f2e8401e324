/**
 * How soon after a takeover on the LAN the cloud is told: Holdfast, and keepalived with a notify script, side by side.
 *
 *   npm run bench:cloud -- [--rounds N] [--only stop,kill,cable] [--json] [--write]
 *
 * Rounds alternate between the two at the same strict EC2. Only the ratios mean anything on another machine. `--write`
 * puts the tables into RESULTS.md.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, getPriority, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import { keepalived, programPath } from '../support/peers.ts'
import { cloudRound, type Event, type Program, type RoundResult } from './cloud-rounds.ts'

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

type Spread = { readonly min: number; readonly p50: number; readonly p90: number; readonly max: number }

function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!
  return { min: sorted[0]!, p50: at(0.5), p90: at(0.9), max: sorted.at(-1)! }
}

function summary({ event, program, rounds }: Result) {
  const waited = rounds.flatMap(({ firstRequestMs, confirmMs }) =>
    confirmMs === null ? [] : [{ confirmMs, besidesMs: firstRequestMs - confirmMs }],
  )
  return {
    ...{ event, program, rounds: rounds.length },
    firstRequestMs: spread(rounds.map(({ firstRequestMs }) => firstRequestMs)),
    associateMs: spread(rounds.map(({ associateMs }) => associateMs)),
    confirmMs: waited.length === 0 ? null : spread(waited.map(({ confirmMs }) => confirmMs)),
    /** Until the first request, round by round without that wait. */
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
      ...[events[row.event], row.program, String(row.rounds), four(row.firstRequestMs), four(row.associateMs)],
      ...[row.confirmMs === null ? '–' : four(row.confirmMs), `${row.warm} of ${row.rounds}`, ratio],
    ]
  })
  const head = [
    'the active router is',
    'program',
    'rounds',
    'first request',
    'AssociateAddress',
    'confirm',
    'warm',
    'ratio',
  ]
  const cells = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  const lines = found.flatMap(({ event, besidesMs }) =>
    besidesMs === null ? [] : [`Without \`confirm\`, the first request after "${events[event]}": ${four(besidesMs)}.`],
  )
  return [...cells, ...(lines.length > 0 ? ['', ...lines] : [])].join('\n')
}

const legend = [
  'From the new active router’s first advertisement, as a tap on the client’s wire reads it, until EC2 has the first byte',
  'of the first request of the move, and of AssociateAddress; least / p50 / p90 / max in ms. Holdfast: agent, control, EC2, which',
  'control writes by its last look. keepalived: a notify_master script that calls the AWS CLI. The same',
  'strict EC2 on the lab’s switch for both: no TLS and no distance, which an EC2 of AWS would add to both alike.',
  '',
  'Confirm: when the cable is pulled, control still has the former owner’s link, asks it, and believes its rival after',
  '`confirm` (150 ms) of silence: that wait, by control’s own clock, is in the figures before it.',
  'Warm: AssociateAddress came over a connection from before the event, as control’s looks keep one.',
  '',
].join('\n')

function conditions(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname })
  const said = (program: string, args: string): string =>
    execFileSync('sh', ['-c', `${program} ${args} 2>&1`], { encoding: 'utf8' }).split('\n')[0]!
  const version = /v(\d[\d.]*)/.exec(said(programPath('keepalived')!, '--version'))?.[1] ?? '?'
  const cli = said(aws!, '--version').split(' ').slice(0, 2).join(', ')
  return [
    `\`npm run bench:cloud\` at ${commit.trim()}:`,
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, Linux ${release()}, Node ${process.version},`,
    `keepalived ${version}, ${cli}. VRRPv3, an advertisement each 100 ms, both in real time.`,
    `Only ratios mean anything elsewhere. Load average at the end: ${loadavg()[0]!.toFixed(1)}, other work included;`,
    `all of the bench, both programs and their scripts, with nice ${getPriority()}.`,
    '',
  ].join('\n')
}

/** Replaces this bench's section and leaves the others. */
function writeResults(text: string): void {
  const file = join(import.meta.dirname, 'RESULTS.md')
  const sections = readFileSync(file, 'utf8')
    .split(/^(?=## )/m)
    .filter((section) => !section.startsWith('## bench:cloud\n'))
  writeFileSync(file, `${sections.join('').trimEnd()}\n\n## bench:cloud\n\n${text}\n`)
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
  const text = [conditions(), legend, describe(found)].join('\n')
  console.log(options.json ? JSON.stringify({ conditions: conditions(), found }) : text)
  if (options.write) writeResults(text)
  return 0
}

process.exitCode = await main()
