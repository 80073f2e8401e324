/** What the benches have in common: the order of sides, spreads, Markdown tables, conditions, sections of RESULTS.md. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, getPriority, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { programPath } from '../support/peers.ts'

export type Spread = {
  readonly min: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Of at least one number. */
export function spread(numbers: readonly number[]): Spread {
  const sorted = Float64Array.from(numbers).sort()
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!
  return { min: sorted[0]!, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1)! }
}

/** The middle one; of an even count the mean of the two. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

/** Every side in each round, the first one changing, so that whatever else the machine does hits all of them. */
export function inTurn<Side>(sides: readonly Side[], round: number): Side[] {
  return sides.map((_, i) => sides[(i + round) % sides.length]!)
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** The commit, the machine, the programs, and how busy it was; `lines` are the bench's own. */
export function conditions(command: string, lines: readonly string[]): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname })
  return [
    `\`${command}\` at ${commit.trim()}:`,
    `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}, Linux ${release()}, Node ${process.version},`,
    `keepalived ${keepalivedVersion()}. Only ratios mean anything elsewhere.`,
    `Load average at the end: ${loadavg()[0]!.toFixed(1)}, other work included; all of the bench with nice ${getPriority()}.`,
    ...lines,
    '',
  ].join('\n')
}

/** It says it on standard error. */
export function keepalivedVersion(): string {
  const path = programPath('keepalived')
  const said = path === undefined ? '' : execFileSync('sh', ['-c', `${path} --version 2>&1`], { encoding: 'utf8' })
  return /v(\d[\d.]*)/.exec(said)?.[1] ?? '?'
}

/** Replaces one bench's section of RESULTS.md and leaves the others. */
export function writeSection(bench: string, text: string): void {
  const file = join(import.meta.dirname, 'RESULTS.md')
  const sections = readFileSync(file, 'utf8')
    .split(/^(?=## )/m)
    .filter((section) => !section.startsWith(`## ${bench}\n`))
  writeFileSync(file, `${sections.join('').trimEnd()}\n\n## ${bench}\n\n${text}\n`)
}

/** Why an option is no number from 1, or undefined. */
export function wrongNumber(name: string, value: string): string | undefined {
  return /^[1-9]\d*$/.test(value) ? undefined : `--${name} ${value}: must be a number from 1`
}

/** Why a list does not name some of `known`, or undefined. */
export function wrongNames(name: string, value: string, known: readonly string[]): string | undefined {
  const wrong = value.split(',').some((each) => !known.includes(each))
  return wrong ? `--${name} ${value}: must name some of ${known.join(', ')}` : undefined
}
