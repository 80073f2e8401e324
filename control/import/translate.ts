/**
 * keepalived's configuration as a Holdfast agent's. Pure.
 *
 *   text ──lines──▶ lines ──tree──▶ statements ──here──▶ a draft ──settle──▶ YAML that the schema accepts
 *                                                └──────▶ findings: what became of everything
 *
 * The draft holds whatever Holdfast's design has a key for. Whether this version accepts the key is for its schema to
 * say: what it refuses becomes a comment, so nothing here knows what a version can do.
 */
import { adviceOn } from './advice.ts'
import { interfaceCheck, readProcess, readScript, settingsOf, type Trackable, type Tracked, track } from './checks.ts'
import { type Judge, type Part, settle } from './draft.ts'
import { readInstance, type Secret } from './instance.ts'
import { createNames, type Names } from './names.ts'
import { notifyFinding } from './notify.ts'
import type { FindFiles, Finding, ImportProblem, Peek, SourceFile } from './source.ts'
import { readTree, type Statement } from './tree.ts'

export type ImportOptions = {
  readonly find: FindFiles
  /** Whose `@id` lines apply. */
  readonly configId: string
  readonly peek: Peek
  /** The adapters that this version has. */
  readonly adapters: readonly string[]
  /** What the agent's schema has against a text, with every variable of `variables` set. */
  readonly judge: (text: string, variables: readonly string[]) => ReturnType<Judge>
}

export type Imported =
  | { readonly kind: 'broken'; readonly problems: readonly ImportProblem[] }
  /** `text` is undefined when there is nothing that this version could run. */
  | { readonly kind: 'read'; readonly text: string | undefined; readonly findings: readonly Finding[] }

export function importKeepalived(source: SourceFile, options: ImportOptions): Imported {
  const tree = readTree(source, options)
  if (tree.problems.length > 0) return { kind: 'broken', problems: tree.problems }
  const { parts, findings, secrets } = translate(tree.statements, options)
  const variables = [...secrets.keys()]
  const settled = settle(parts, (text) => options.judge(text, variables))
  // A password that ended in a comment needs no variable.
  const needed = [...secrets].filter(([name]) => settled.text?.match(new RegExp(`^[^#]*\\$\\{${name}\\}`, 'm')))
  const all = [...tree.findings, ...findings, ...settled.findings, ...needed.map(setVariable)]
  const heading = headingOf(source)
  return {
    kind: 'read',
    text: settled.text === undefined ? undefined : heading + settled.text,
    findings: all.toSorted(
      (a, b) => Number(a.file !== source.file) - Number(b.file !== source.file) || a.line - b.line,
    ),
  }
}

function headingOf({ file }: SourceFile): string {
  const name = file.replaceAll(/\s+/g, ' ')
  return `# An agent's configuration, made from ${name} by holdfast import. Each line says where it comes from.\n`
}

function setVariable([name, { at, truncated }]: [string, Secret]): Finding {
  const part = truncated ? ', to its first 8 characters, since keepalived uses no more' : ''
  const text = `the password is not written down: set ${name} where the agent is started${part}`
  return { ...at, kind: 'changed', what: 'auth_pass', text }
}

/** What the functions below collect as they go. */
type Work = {
  readonly options: ImportOptions
  readonly globals: ReadonlyMap<string, Statement>
  readonly trackables: Map<string, Trackable>
  /** Keys: the instances' names. */
  readonly groups: Map<string, Statement>
  readonly serviceNames: Map<string, string>
  readonly checkNames: Names
  readonly findings: Finding[]
  readonly secrets: Map<string, Secret>
}

function translate(statements: readonly Statement[], options: ImportOptions) {
  const named = (keyword: string): Statement[] => statements.filter(({ words }) => words[0] === keyword)
  const definitions = named('global_defs').flatMap(({ block }) => block)
  const globals = settingsOf({ at: { file: '', line: 0 }, words: [], rest: '', block: definitions })
  const instances = named('vrrp_instance').filter(isFirst)
  const names = createNames()
  const work: Work = {
    options,
    globals,
    trackables: new Map(),
    groups: new Map(),
    serviceNames: new Map(instances.map(({ words }) => [words[1] ?? '', names(words[1] ?? '')])),
    checkNames: createNames(),
    findings: [],
    secrets: new Map(),
  }
  for (const { at, words } of named('vrrp_instance').filter((instance) => !instances.includes(instance))) {
    const text = 'its name is taken by an earlier one; keepalived refuses it too'
    work.findings.push({ ...at, kind: 'dropped', what: `vrrp_instance ${words[1] ?? ''}`, text })
  }
  explainGlobals(work)
  readTrackables(work, statements)
  const groups = named('vrrp_sync_group')
  const groupParts = groups.flatMap((group) => readGroup(work, group))
  explainTopLevel(work, statements)
  const services = instances.map((instance) => readService(work, instance))
  const checks = [...work.trackables.values()].flatMap(({ part }) => part ?? [])
  const parts = [
    ...section('services', 'vrrp_instance', services),
    ...section('checks', 'vrrp_script', checks),
    ...section('groups', 'vrrp_sync_group', groupParts),
  ]
  return { parts, findings: work.findings, secrets: work.secrets }
}

function isFirst({ words }: Statement, index: number, all: readonly Statement[]): boolean {
  return all.findIndex((other) => other.words[1] === words[1]) === index
}

function section(key: string, what: string, parts: readonly Part[]): Part[] {
  return parts[0] === undefined ? [] : [{ key, what, at: parts[0].at, each: true, content: { kind: 'map', parts } }]
}

/** What an instance looks up in `global_defs` is said where it is used. */
const usedGlobals = new Set(
  `vrrp_version vrrp_strict vrrp_min_garp vrrp_garp_master_repeat vrrp_garp_master_delay
  vrrp_garp_master_refresh vrrp_startup_delay vrrp_down_timer_adverts`.split(/\s+/),
)

function explainGlobals({ globals, findings }: Work): void {
  for (const [keyword, { at }] of globals) {
    if (!usedGlobals.has(keyword)) findings.push({ ...at, what: keyword, ...adviceOn(keyword) })
  }
}

const elsewhere = new Set(
  `global_defs vrrp_instance vrrp_sync_group vrrp_script vrrp_track_process track_process vrrp_track_file
  track_file`.split(/\s+/),
)

function explainTopLevel({ findings }: Work, statements: readonly Statement[]): void {
  for (const { words, at, block } of statements) {
    // Only the name of a block: a value that stands here by mistake may be a secret.
    const [keyword = '', name = ''] = block.length > 0 ? words : words.slice(0, 1)
    if (!elsewhere.has(keyword)) findings.push({ ...at, what: `${keyword} ${name}`.trim(), ...adviceOn(keyword) })
  }
}

/** Tracked things by keyword and name: a script and a process may be called the same. */
function readTrackables({ trackables, checkNames, findings }: Work, statements: readonly Statement[]): void {
  const say = (finding: Finding): void => void findings.push(finding)
  for (const statement of statements) {
    const [keyword = '', name = ''] = statement.words
    const kind = keyword.replace(/^vrrp_/, '')
    const once = (read: () => Trackable): void => {
      const key = `${keyword === 'vrrp_script' ? 'script' : kind} ${name}`
      if (!trackables.has(key)) trackables.set(key, read())
    }
    if (keyword === 'vrrp_script') once(() => readScript(statement, checkNames(name), say))
    else if (kind === 'track_process') once(() => readProcess(statement, checkNames(name), say))
    else if (kind === 'track_file') {
      const text = 'no file sets a priority: use holdfast switchover, or a check with exec that looks at the file'
      say({ ...statement.at, kind: 'dropped', what: `${keyword} ${name}`, text })
      once(() => ({ name, weight: 0, part: undefined }))
    }
  }
}

/** What a block tracks, of an instance or a group. */
function readTracked(work: Work, settings: ReadonlyMap<string, Statement>): Tracked[] {
  const say = (finding: Finding): void => void work.findings.push(finding)
  const kinds = ['track_interface', 'track_script', 'track_process', 'track_file']
  const found = kinds.flatMap((keyword) =>
    (settings.get(keyword)?.block ?? []).flatMap((line) => {
      const kind = keyword === 'track_script' ? 'script' : keyword
      const known = work.trackables.get(`${kind} ${line.words[0]}`) ?? knownInterface(work, keyword, line)
      if (known !== undefined) return track(line, known, say) ?? []
      const text = 'nothing of this name is defined; keepalived ignores it too'
      say({ ...line.at, kind: 'dropped', what: `${keyword} ${line.words[0]}`, text })
      return []
    }),
  )
  return found.filter(({ name }, i) => found.findIndex((other) => other.name === name) === i)
}

function knownInterface({ trackables, checkNames }: Work, keyword: string, line: Statement): Trackable | undefined {
  if (keyword !== 'track_interface') return undefined
  const check = interfaceCheck(line, checkNames(`link-${line.words[0]}`))
  trackables.set(`track_interface ${line.words[0]}`, check)
  return check
}

/** Members move together, so what the group tracks is tracked by each of them. */
function readGroup(work: Work, group: Statement): Part[] {
  const settings = settingsOf(group)
  const [, name = ''] = group.words
  const members = (settings.get('group')?.block ?? []).flatMap((line) => line.words.map((word) => ({ word, line })))
  for (const [keyword, { at }] of settings) {
    const setting = settings.get(keyword)!
    if (/^notify(_(master|backup|fault|stop|deleted))?$/.test(keyword)) {
      work.findings.push(notifyFinding(setting, work.options))
    } else if (keyword !== 'group' && !keyword.startsWith('track_')) {
      work.findings.push({ ...at, what: keyword, ...adviceOn(keyword) })
    }
  }
  const known = members.filter(({ word, line }) => {
    if (work.serviceNames.has(word)) return true
    work.findings.push({
      ...line.at,
      kind: 'dropped',
      what: `member ${word}`,
      text: 'there is no vrrp_instance of this name',
    })
    return false
  })
  for (const { word } of known) work.groups.set(word, group)
  const what = `vrrp_sync_group ${name}`
  if (known.length < 2) {
    work.findings.push({ ...group.at, kind: 'carried', what, text: 'nothing to write: a group of one moves by itself' })
    return []
  }
  const value = known.map(({ word }) => work.serviceNames.get(word)!)
  return [{ key: createNames()(name), what, at: group.at, content: { kind: 'value', value } }]
}

function readService(work: Work, instance: Statement): Part {
  const [, name = ''] = instance.words
  const group = work.groups.get(name)
  const own = readTracked(work, settingsOf(instance))
  const shared = group === undefined ? [] : readTracked(work, settingsOf(group))
  const tracked = [...own, ...shared.filter((item) => own.every((other) => other.name !== item.name))]
  return readInstance(instance, {
    name: work.serviceNames.get(name)!,
    globals: work.globals,
    tracked,
    notify: work.options,
    say: (finding) => void work.findings.push(finding),
    secret: (variable, secret) => void work.secrets.set(variable, secret),
  })
}
