/** `holdfast import keepalived.conf`: an agent's configuration on standard output, and what became of the rest on standard error. */
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { builtIn } from '../../adapters/registry.ts'
import { readAgentConfig } from '../../node-agent/config.ts'
import { ConfigError } from '../config/config-file.ts'
import type { Refusal } from '../import/draft.ts'
import type { Finding, SourceFile } from '../import/source.ts'
import { importKeepalived } from '../import/translate.ts'
import { CommandError, UsageError } from './failure.ts'
import { readText } from './files.ts'

type Options = {
  readonly output?: string
  readonly force?: boolean
  readonly configId?: string
  readonly json?: boolean
}

export function runImportCommand(file: string, { output, force = false, configId, json = false }: Options): void {
  const imported = importKeepalived(
    { file, text: readText(file) },
    { find: findFiles, peek, configId: configId ?? hostname(), adapters: builtIn.names, judge },
  )
  if (imported.kind === 'broken') {
    for (const { file, line, message } of imported.problems) process.stderr.write(`${file}:${line}: ${message}\n`)
    process.exitCode = 2
    return
  }
  const { text, findings } = imported
  if (!json) process.stderr.write(describeFindings(findings))
  if (text !== undefined && output !== undefined) write(output, text, force)
  if (json) process.stdout.write(`${JSON.stringify({ configuration: text ?? null, findings })}\n`)
  else if (text !== undefined && output === undefined) process.stdout.write(text)
  if (text === undefined)
    throw new CommandError(`${file}: no vrrp_instance in it could be carried over, so there is nothing to write`)
}

/** A machine's configuration is not lost for a slip of the command history. */
function write(file: string, text: string, force: boolean): void {
  try {
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new UsageError(`${file} exists already; give another --output, or --force to replace it`)
    if (code === 'ENOENT') throw new UsageError(`${file}: there is no such folder`)
    if (code === 'EISDIR') throw new UsageError(`${file}: is a folder, not a file`)
    if (code === 'EACCES') throw new UsageError(`${file}: permission denied`)
    throw error
  }
}

/** What was carried over as it was is only counted. */
function describeFindings(findings: readonly Finding[]): string {
  const said = findings.filter(({ kind }) => kind !== 'carried')
  const words = { carried: '', changed: 'carried over with a change', dropped: 'not carried over' }
  const lines = said.map(({ file, line, kind, what, text }) => `${file}:${line}: ${what}: ${words[kind]}: ${text}\n`)
  const count = (kind: Finding['kind']): number => findings.filter((finding) => finding.kind === kind).length
  const summary = `${count('carried')} carried over, ${count('changed')} with a change, ${count('dropped')} not\n`
  return lines.join('') + summary
}

/** As the agent itself would read the text, on the machine that it is for. */
function judge(text: string, variables: readonly string[]): readonly Refusal[] {
  const environment = Object.fromEntries(variables.map((name) => [name, 'secret12']))
  try {
    readAgentConfig({ file: '', text, environment, hostName: 'node', interfaces: undefined })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** Relative to the file that names them, and called as that one is. */
function findFiles(from: string, pattern: string): SourceFile[] {
  const folder = dirname(resolve(from))
  const found = globSync(pattern, { cwd: folder }).map((name) => resolve(folder, name))
  const shown = (path: string): string => (isAbsolute(from) || isAbsolute(pattern) ? path : relative('', path))
  return found
    .filter((path) => statSync(path).isFile())
    .toSorted()
    .map((path) => ({ file: shown(path), text: readText(path) }))
}

/** More than any script, and little enough to read a program by mistake. */
const maxScriptBytes = 1024 * 1024

function peek(path: string): string | undefined {
  try {
    return statSync(path).size > maxScriptBytes ? undefined : readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
