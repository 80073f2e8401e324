/** Control on workerd as a process of the lab: what control.ts starts on Node, in the same place, for the same agents. */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { workerdProgram, writeWorkerdConfig } from '../worker/workerd.ts'
import type { Program } from './program.ts'
import { type Relay, startRelay } from './relay.ts'
import { createLog, type LogLine } from './router-process.ts'
import type { Lab } from './topology.ts'

export type WorkerProcess = {
  /** As the nodes see it. */
  readonly url: string
  /** As another terminal of this machine sees it: the relay's. */
  readonly outsideUrl: string
  /** What it has logged, all its lives together; it grows. */
  readonly log: readonly LogLine[]
  /** The first line from number `from` on, logged or to come, that fits. */
  until(fits: (line: LogLine) => boolean, from?: number, withinMs?: number): Promise<LogLine>
  /** SIGKILL: nothing is written, closed or said. */
  kill(): Promise<void>
  /** Again on the same disk. */
  restart(): Promise<void>
  /** Kills it and takes the relay away; what is in the lab's folder goes with the lab. */
  [Symbol.asyncDispose](): Promise<void>
}

export type WorkerOptions = {
  /** The main module, as `buildWorker` makes it. */
  readonly bundle: string
  /** Variables and secrets of the deployment. */
  readonly variables: Readonly<Record<string, unknown>>
}

const listen = '10.77.0.9:8080'

/** Resolves when it listens. */
export async function startWorker(lab: Lab, options: WorkerOptions): Promise<WorkerProcess> {
  const folder = await mkdtemp(join(lab.folder, 'worker-'))
  const configFile = await writeWorkerdConfig({ folder, listen, ...options })
  const log = createLog('workerd')
  let program: Program
  const start = async (): Promise<void> => {
    const from = log.lines.length
    program = await lab.spawn(workerdProgram(), ['serve', configFile, '--control-fd=1'], { onLine: log.add })
    await log.until(({ text }) => text.includes('"event":"listen"'), 30_000, from)
  }
  await start()
  const relay: Relay = await startRelay(lab, { to: { host: '10.77.0.9', port: 8080 } })
  return {
    url: `http://${listen}`,
    outsideUrl: relay.url,
    log: log.lines,
    until: (fits, from = 0, withinMs = 30_000) => log.until(fits, withinMs, from),
    kill: () => program.kill(),
    restart: start,
    [Symbol.asyncDispose]: async () => {
      await program.kill()
      await relay[Symbol.asyncDispose]()
    },
  }
}
