/**
 * Settings of interfaces under /proc/sys/net that Holdfast changes while it runs, and puts back.
 *
 *   want(who, settings) ──▶ state file: what was, what will be ──▶ write     (in this order: a kill leaves the record)
 *   restore()           ──▶ put back ──▶ state file without it
 *
 * The next process finds the record of a killed one, and keeps the values in it as those to put back in the end. Only
 * what is still as we set it is put back: whoever changed it meanwhile meant it. A record counts for one boot and one
 * network namespace. An interface is known by its index, so that a renamed one is found, and a new one of the same
 * name, which has values of its own, is let alone.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { interfaceIndex } from './libc.ts'

/** `net.<family>.conf.<interface>.<key>`; the interface may be `all` or `default` too. */
export type Setting = {
  readonly family: 'ipv4' | 'ipv6'
  readonly interface: string
  readonly key: string
  readonly value: number
}

export type Sysctls = {
  /**
   * All that `who` wants now; it replaces what the same one wanted before, and what nobody wants any more is put back.
   * An interface or key that is not there is skipped. Returns what could not be done, a sentence each.
   */
  readonly want: (who: string, settings: readonly Setting[]) => string[]
  /** Puts everything back, the latest change first, and forgets the record. Returns what could not be done. */
  readonly restore: () => string[]
}

/** So that removing an interface's first address leaves the others of its network, of which ours may be one. */
export function promoteSecondaries(interfaces: readonly string[]): Setting[] {
  return interfaces.map((name) => ({ family: 'ipv4', interface: name, key: 'promote_secondaries', value: 1 }))
}

/** One changed value, as the state file has it. */
type Change = {
  readonly family: 'ipv4' | 'ipv6'
  /** Its name when we changed it. */
  readonly interface: string
  /** Null for `all` and `default`. */
  readonly index: number | null
  readonly key: string
  readonly was: string
  readonly is: string
}

/** A record of another boot or namespace says nothing of this one. */
type Record = { readonly boot: string; readonly namespace: string; readonly changes: readonly Change[] }

export type SysctlOptions = {
  /** Where the record is kept; it must outlive the process, and need not outlive the machine. */
  readonly file: string
  /** Default: /proc/sys/net, which shows the namespace of this process. */
  readonly root?: string
  /** The index of an interface by its name. Default: the kernel's. */
  readonly indexOf?: (name: string) => number | undefined
  /** Which boot and which network namespace this is. Default: the kernel's words. */
  readonly here?: { readonly boot: string; readonly namespace: string }
}

type Work = Required<SysctlOptions> & {
  readonly wanted: Map<string, readonly Setting[]>
  /** By path, in the order of the changes. */
  readonly changes: Map<string, Change>
}

export function openSysctls({
  file,
  root = '/proc/sys/net',
  indexOf = interfaceIndex,
  here = thisPlace(),
}: SysctlOptions): Sysctls {
  const changes = new Map(recorded(file, here).map((change) => [pathOf(change), change]))
  const work: Work = { file, root, indexOf, here, wanted: new Map(), changes }
  return {
    want(who, settings) {
      work.wanted.set(who, settings)
      const wanted = new Map([...work.wanted.values()].flat().map((setting) => [pathOf(setting), setting]))
      const left = [...changes].filter(([path]) => !wanted.has(path))
      return [...putBack(work, left), ...change(work, [...wanted.values()])]
    },
    restore() {
      work.wanted.clear()
      const problems = putBack(work, [...changes])
      rmSync(file, { force: true })
      return problems
    },
  }
}

function change(work: Work, settings: readonly Setting[]): string[] {
  const pending: Change[] = []
  for (const setting of settings) {
    const path = pathOf(setting)
    const index = indexIn(work, setting.interface)
    const now = index === undefined ? undefined : read(work, path)
    if (index === undefined || now === undefined) continue
    const is = String(setting.value)
    const before = work.changes.get(path)
    const ours = before !== undefined && before.index === index && before.is === now
    if (now === is) {
      // It was so without us, or somebody else has made it so: nothing of ours to put back.
      if (!ours) work.changes.delete(path)
      continue
    }
    const { value: _, ...place } = setting
    pending.push({ ...place, index, was: ours ? before.was : now, is })
  }
  if (pending.length === 0) return []
  for (const each of pending) {
    work.changes.delete(pathOf(each))
    work.changes.set(pathOf(each), each)
  }
  const problem = save(work)
  if (problem !== undefined) {
    for (const each of pending) work.changes.delete(pathOf(each))
    return [`${problem}: no setting of an interface is changed that could not be put back`]
  }
  return pending.flatMap((each) => write(work, pathOf(each), each.is))
}

function putBack(work: Work, changes: readonly (readonly [path: string, Change])[]): string[] {
  if (changes.length === 0) return []
  const problems = changes.toReversed().flatMap(([path, each]) => {
    const name = nameNow(work, each)
    const place = name === undefined ? undefined : pathOf({ ...each, interface: name })
    work.changes.delete(path)
    return place !== undefined && read(work, place) === each.is ? write(work, place, each.was) : []
  })
  const problem = save(work)
  return problem === undefined ? problems : [...problems, problem]
}

function pathOf({ family, interface: name, key }: Pick<Setting, 'family' | 'interface' | 'key'>): string {
  return join(family, 'conf', name, key)
}

/** Undefined when there is no such interface. */
function indexIn({ indexOf }: Work, name: string): number | null | undefined {
  return name === 'all' || name === 'default' ? null : indexOf(name)
}

/** What the interface of a change is called now; undefined when it is gone. */
function nameNow(work: Work, { family, interface: name, index }: Change): string | undefined {
  if (indexIn(work, name) === index) return name
  const names = attempt(() => readdirSync(join(work.root, family, 'conf')))
  return Array.isArray(names) ? names.find((other) => indexIn(work, other) === index) : undefined
}

function read({ root }: Work, path: string): string | undefined {
  const text = attempt(() => readFileSync(join(root, path), 'utf8'))
  return typeof text === 'string' ? text.trim() : undefined
}

function write({ root }: Work, path: string, value: string): string[] {
  // Never made where it is not: a path under /proc/sys that has vanished is an interface that has.
  const failed = attempt(() => {
    const fd = openSync(join(root, path), 'r+')
    try {
      writeSync(fd, value)
    } finally {
      closeSync(fd)
    }
  })
  if (!(failed instanceof Error) || failed.code === 'ENOENT') return []
  const remedy = failed.code === 'EROFS' || failed.code === 'EACCES' ? '; let the agent write below /proc/sys/net' : ''
  return [`could not set net.${path.replaceAll('/', '.')} to ${value} (${failed.code})${remedy}`]
}

/** Whole or not at all, and on the disk before anything that it records is done. */
function save({ file, here, changes }: Work): string | undefined {
  const record: Record = { ...here, changes: [...changes.values()] }
  const next = `${file}.next`
  const failed = attempt(() => {
    if (changes.size === 0) return rmSync(file, { force: true })
    const fd = openSync(next, 'w', 0o600)
    try {
      writeSync(fd, `${JSON.stringify(record, undefined, 2)}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(next, file)
  })
  return failed instanceof Error ? `could not record in ${file} what is to be put back (${failed.code})` : undefined
}

function recorded(file: string, here: SysctlOptions['here']): readonly Change[] {
  const text = attempt(() => readFileSync(file, 'utf8'))
  const record = typeof text === 'string' ? attempt(() => JSON.parse(text) as Partial<Record>) : undefined
  if (record === undefined || record instanceof Error) return []
  const samePlace = record.boot === here?.boot && record.namespace === here?.namespace
  return samePlace && Array.isArray(record.changes) ? record.changes : []
}

function thisPlace(): { boot: string; namespace: string } {
  return {
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespace: String(statSync('/proc/thread-self/ns/net').ino),
  }
}

/** Its result, or the error of the file system. */
function attempt<Result>(call: () => Result): Result | NodeJS.ErrnoException {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return error
  }
}
