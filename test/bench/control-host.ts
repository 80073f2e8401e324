/** The processes of `bench:control`: control as its users start it, what it is compared with, and what loads them. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { markerService, tokenOf } from './control-agents.ts'
import type { Pair, Results, Task } from './control-load.ts'

export const viewerToken = 'bench-viewer-token'
const cli = join(import.meta.dirname, '../../control/cli/main.ts')

export type Host = {
  readonly url: string
  readonly startMs: number
  rssMb(): number
  /** Processor time it has used until now, in milliseconds. */
  cpuMs(): number
  /** Asks it to stop, and waits for that. */
  stop(): Promise<void>
}

/** Services without bindings and nodes in pairs, more than enough moves a second for any bench, no limit of calls. */
export function writeConfig(file: string, { database, pairs }: { database: string; pairs: readonly Pair[] }): void {
  const flap = { moves: 1_000, per: '1s' }
  const services: Record<string, object> = { [markerService]: { nodes: ['nobody'] } }
  for (const { nodes, services: named } of pairs) for (const name of named) services[name] = { nodes, flap }
  const nodes = pairs.flatMap(({ nodes }) => nodes)
  // A service for each node that posts.
  for (const node of nodes) services[`of-${node}`] = { nodes: [node] }
  const tokens = [
    { name: 'eye', role: 'viewer', token: viewerToken },
    ...nodes.map((node) => ({ name: node, role: 'node', node, token: tokenOf(node) })),
  ]
  const rateLimit = { perSecond: 1_000_000, burst: 1_000_000 }
  writeFileSync(file, JSON.stringify({ listen: '127.0.0.1:0', database, tokens, services, rateLimit }))
}

export async function startControl(config: string, profile?: string): Promise<Host> {
  const began = performance.now()
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
  const child = spawn(process.execPath, [...profiling, cli, 'control', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (output.length < 100_000) output += text
    const url = /"event":"listening","url":"([^"]+)"/.exec(output)?.[1]
    if (url !== undefined) resolve(url)
  })
  child.once('exit', (code) => reject(new Error(`control ended with ${code}: ${output}`)))
  const url = await promise
  return hostOf(child, url, performance.now() - began)
}

export async function startBaseline(database: string): Promise<Host> {
  const began = performance.now()
  const child = fork(join(import.meta.dirname, 'control-baseline.ts'), [database])
  const [url] = (await once(child, 'message')) as [string]
  return hostOf(child, url, performance.now() - began)
}

function hostOf(child: ChildProcess, url: string, startMs: number): Host {
  const ended = once(child, 'exit')
  const killed = (): void => void child.kill('SIGKILL')
  process.once('exit', killed)
  return {
    url,
    startMs,
    rssMb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1_024,
    cpuMs: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      // User and system time, in ticks of 10 ms.
      return (Number(fields[11]) + Number(fields[12])) * 10
    },
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      process.off('exit', killed)
    },
  }
}

export type Load = {
  run<Kind extends Task['kind']>(task: Extract<Task, { kind: Kind }>): Promise<Results[Kind]>
}

export function startLoad(): Load {
  const child = fork(join(import.meta.dirname, 'control-load.ts'), { serialization: 'advanced' })
  const killed = (): void => void child.kill('SIGKILL')
  process.once('exit', killed)
  return {
    run: async (task) => {
      child.send(task)
      const [answer] = (await once(child, 'message')) as [{ result: never; error?: string }]
      if (answer.error !== undefined) throw new Error(answer.error)
      if (task.kind === 'end') process.off('exit', killed)
      return answer.result
    },
  }
}

/** The database with its log, in bytes. */
export function sizeOf(database: string): number {
  return [database, `${database}-wal`].reduce((sum, file) => sum + (existsSync(file) ? statSync(file).size : 0), 0)
}
