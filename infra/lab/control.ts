/** Control as a process of the lab: in the switch's own namespace, where every node reaches it on 10.77.0.9. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Program } from './program.ts'
import { type Relay, startRelay } from './relay.ts'
import { createLog, type LogLine } from './router-process.ts'
import type { Lab } from './topology.ts'

export type ControlProcess = {
  readonly program: Program
  readonly configFile: string
  readonly log: readonly LogLine[]
  /** As the nodes see it. */
  readonly url: string
  /** As another terminal of this machine sees it: the relay's. */
  readonly outsideUrl: string
  until(fits: (line: LogLine) => boolean, deadlineMs?: number): Promise<LogLine>
  /** SIGTERM, then waits for the end; its exit code. */
  stop(): Promise<number>
  kill(): Promise<void>
}

export type ControlOptions = {
  /** Control's configuration (design: section 5); `listen` and `database` have defaults that suit the lab. */
  readonly config: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
  /** Where another terminal reaches it. Default: a free port of this machine's loopback. */
  readonly relayListen?: string
}

/** Resolves when it listens. */
export async function startControl(
  lab: Lab,
  { config, env = {}, relayListen }: ControlOptions,
): Promise<ControlProcess> {
  const folder = await mkdtemp(join(lab.folder, 'control-'))
  const configFile = join(folder, 'control.json')
  const defaults = { listen: '10.77.0.9:8080', database: join(folder, 'control.db') }
  await writeFile(configFile, JSON.stringify({ ...defaults, ...config }, undefined, 2))
  const log = createLog('control')
  const program = await lab.spawn(process.execPath, [holdfast, 'control', '--config', configFile], {
    env,
    onLine: log.add,
  })
  void program.exited.then((code) => log.end(`ended with ${code}`))
  const url = listeningUrl(await log.until((line) => listeningUrl(line) !== undefined, 30_000))!
  const { hostname, port } = new URL(url)
  const relay: Relay = await startRelay(lab, {
    ...(relayListen === undefined ? {} : { listen: relayListen }),
    to: { host: hostname, port: Number(port) },
  })
  const close = async (): Promise<number> => {
    await relay[Symbol.asyncDispose]()
    return program.exited
  }
  return {
    program,
    configFile,
    log: log.lines,
    url,
    outsideUrl: relay.url,
    until: (fits, deadlineMs = 30_000) => log.until(fits, deadlineMs),
    stop: () => {
      program.signal('SIGTERM')
      return close()
    },
    kill: async () => {
      await program.kill()
      await close()
    },
  }
}

const holdfast = join(import.meta.dirname, '../../control/cli/main.ts')

/** From `{"event":"listening","url":"http://10.77.0.9:8080"}`. */
function listeningUrl({ text }: LogLine): string | undefined {
  const found = /"event":"listening".*?"url":"([^"]+)"/.exec(text)
  return found?.[1]
}
