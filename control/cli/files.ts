/** Reads configuration files for the commands: the one place of the program that opens them. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { type AgentConfig, readAgentConfig } from '../../node-agent/config.ts'
import { UsageError } from './failure.ts'

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new UsageError(`${file}: there is no such file`)
    if (code === 'EISDIR') throw new UsageError(`${file}: is a folder, not a file`)
    if (code === 'EACCES') throw new UsageError(`${file}: permission denied; run as a user who may read it`)
    throw error
  }
}

/** `elsewhere`: the file is for another machine, so its interfaces are not looked for here. */
export function readAgentFile(file: string, text: string, { elsewhere }: { readonly elsewhere: boolean }): AgentConfig {
  return readAgentConfig({
    file,
    text,
    environment: process.env,
    hostName: hostname(),
    interfaces: elsewhere ? undefined : interfaceNames(),
  })
}

/** As this process's network namespace has them. Undefined where the system does not say. */
function interfaceNames(): string[] | undefined {
  if (process.platform !== 'linux') return undefined
  const table = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2)
  return table.map((line) => line.split(':')[0]!.trim()).filter((name) => name !== '')
}
