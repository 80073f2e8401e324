/**
 * What keepalived tracks, as Holdfast's checks. Pure.
 *
 * keepalived adds a positive weight while a script succeeds; Holdfast only subtracts while a check fails. Raising the
 * priority by the weight and subtracting it on failure comes to the same.
 */
import type { Part, Plain } from './draft.ts'
import type { Finding } from './source.ts'
import type { Statement } from './tree.ts'
import { splitCommand, unclosedQuote } from './words.ts'

/** Something that instances can track. `weight` is keepalived's: 0 means fault. */
export type Trackable = {
  /** Of the check in Holdfast. */
  readonly name: string
  readonly weight: number
  /** Undefined: it could not be carried over, which has been said. */
  readonly part: Part | undefined
}

/** One tracked thing of an instance. */
export type Tracked = { readonly check: Part; readonly raise: number; readonly name: string }

type Say = (finding: Finding) => void

/** `vrrp_script NAME { … }` */
export function readScript(statement: Statement, name: string, say: Say): Trackable {
  const settings = settingsOf(statement)
  const weight = Number(settings.get('weight')?.words[1] ?? 0)
  const reverse = settings.get('weight')?.words[2] === 'reverse'
  const command = settings.get('script')
  const what = `vrrp_script ${statement.words[1] ?? ''}`
  const dropped = (text: string): Trackable => {
    say({ ...statement.at, kind: 'dropped', what, text })
    return { name, weight, part: undefined }
  }
  for (const [keyword, setting] of settings) explainSetting(keyword, setting, say)
  if (command === undefined) return dropped('it has no script; keepalived ignores it too')
  if (reverse) return dropped('a reversed weight has no counterpart: turn the script’s exit code around')
  const exec = execOf(command.rest)
  if (exec === undefined) return dropped('its script has a quote that is not closed')
  const entries = [
    value('exec', exec.argv, command, exec.note),
    ...seconds('interval', settings.get('interval'), statement, '1s'),
    ...seconds('timeout', settings.get('timeout'), statement, undefined),
    ...count('rise', settings.get('rise'), statement),
    ...count('fall', settings.get('fall'), statement),
  ]
  const part: Part = { key: name, what, at: statement.at, content: { kind: 'map', parts: entries } }
  return { name, weight, part }
}

function explainSetting(keyword: string, { at }: Statement, say: Say): void {
  const known = ['script', 'interval', 'timeout', 'weight', 'rise', 'fall']
  if (known.includes(keyword)) return
  const text =
    keyword === 'init_fail'
      ? 'a check has no such setting: until it has a result it is unknown, neither good nor bad'
      : keyword === 'user'
        ? 'a check has no such setting: let its program drop its privileges itself, for example with setpriv'
        : 'a check has no such setting'
  say({ ...at, kind: 'dropped', what: keyword, text })
}

/** `vrrp_track_process NAME { process nginx … }`: keepalived hears of processes from the kernel; here they are looked for. */
export function readProcess(statement: Statement, name: string, say: Say): Trackable {
  const settings = settingsOf(statement)
  const what = `${statement.words[0]} ${statement.words[1] ?? ''}`
  const weight = Number(settings.get('weight')?.words[1] ?? 0)
  const searched = settings.get('process')
  const words = searched === undefined ? unclosedQuote : splitCommand(searched.rest)
  const quorum = Number(settings.get('quorum')?.words[1] ?? 1)
  const complex = ['quorum_max', 'param_match', 'delay', 'terminate_delay', 'fork_delay', 'full_command']
  const odd = complex.find((keyword) => settings.has(keyword))
  if (words === unclosedQuote || words.length !== 1 || odd !== undefined || settings.get('weight')?.words[2]) {
    const text = `${odd ?? 'a process with parameters, or a reversed weight,'} has no counterpart: write a check with exec`
    say({ ...statement.at, kind: 'dropped', what, text })
    return { name, weight, part: undefined }
  }
  const program = words[0]!.split('/').at(-1)!.slice(0, 15)
  const argv =
    quorum === 1
      ? ['/usr/bin/pgrep', '-x', program]
      : ['/bin/sh', '-c', `[ "$(pgrep -xc ${shellQuoted(program)})" -ge ${quorum} ]`]
  const parts = [
    value('exec', argv, searched!, 'looked for once a second, where keepalived is told by the kernel'),
    value('interval', '1s', searched!),
  ]
  return { name, weight, part: { key: name, what, at: statement.at, content: { kind: 'map', parts } } }
}

/** `track_interface { eth1 weight -30 }`: every interface is a check of its own. */
export function interfaceCheck(line: Statement, name: string): Trackable {
  const parts = [value('interface', line.words[0]!, line)]
  const part: Part = {
    key: name,
    what: `track_interface ${line.words[0]}`,
    at: line.at,
    content: { kind: 'map', parts },
  }
  return { name, weight: 0, part }
}

/** A line of `track_script { NAME [weight N [reverse]] }`. */
export function track(line: Statement, { name, weight, part }: Trackable, say: Say): Tracked | undefined {
  const at = line.words.indexOf('weight')
  const chosen = at < 0 ? weight : Number(line.words[at + 1])
  const what = `tracking ${line.words[0]}`
  const drop = (text: string): undefined => say({ ...line.at, kind: 'dropped', what, text }) as undefined
  if (part === undefined) return drop('what it tracks was not carried over')
  if (line.words.includes('reverse')) return drop('a reversed weight has no counterpart: turn the check around')
  if (!Number.isInteger(chosen) || Math.abs(chosen) > 253) return drop('its weight must be -253..253')
  const raise = Math.max(chosen, 0)
  const note = raise > 0 ? `weight ${raise} while it succeeds is now -${raise} while it fails` : undefined
  const content = chosen === 0 ? name : { check: name, weight: -Math.abs(chosen) }
  return { name, raise, check: { ...value('', content, line, note), what } }
}

/** keepalived looks a program up and falls back to a shell; a check says which program with its full path. */
function execOf(rest: string): { argv: readonly string[]; note: string | undefined } | undefined {
  const outer = splitCommand(rest)
  if (outer === unclosedQuote || outer[0] === undefined) return undefined
  const text = outer[0]
  const words = splitCommand(text)
  if (words === unclosedQuote) return undefined
  const plain = words[0]?.startsWith('/') === true && !/[|&;<>()$`*?\n]/.test(text)
  if (plain) return { argv: words.map(literal), note: undefined }
  const note = 'run by a shell, since it is no plain command with its full path'
  return { argv: ['/bin/sh', '-c', literal(text)], note }
}

/** `${NAME}` would be taken from the agent's environment. */
const literal = (text: string): string => text.replaceAll('${', '$${')

const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

function value(key: string, content: Plain, { words, at }: Statement, note?: string): Part {
  const part: Part = { key, what: words[0] ?? key, at, content: { kind: 'value', value: content } }
  return note === undefined ? part : { ...part, note }
}

function seconds(key: string, given: Statement | undefined, block: Statement, byDefault: string | undefined): Part[] {
  const length = Number(given?.words[1])
  if (given !== undefined && length > 0) return [value(key, durationText(length), given)]
  return byDefault === undefined
    ? []
    : [{ ...value(key, byDefault, block), what: `${key} ${byDefault} (keepalived’s default)` }]
}

/** keepalived acts on the first result unless told otherwise. */
function count(key: string, given: Statement | undefined, block: Statement): Part[] {
  const times = Number(given?.words[1])
  if (given !== undefined && Number.isInteger(times) && times > 0) return [value(key, times, given)]
  return [{ ...value(key, 1, block), what: `${key} 1 (keepalived’s default)` }]
}

export function durationText(length: number): string {
  return length < 1 || !Number.isInteger(length) ? `${Math.round(length * 1_000)}ms` : `${length}s`
}

/** By keyword. Of a setting the last one counts, and blocks add up, as for keepalived. */
export function settingsOf({ block }: Statement): Map<string, Statement> {
  const settings = new Map<string, Statement>()
  for (const statement of block) {
    const before = settings.get(statement.words[0]!)
    const more = before === undefined || before.block.length === 0
    settings.set(statement.words[0]!, more ? statement : { ...before, block: [...before.block, ...statement.block] })
  }
  return settings
}
