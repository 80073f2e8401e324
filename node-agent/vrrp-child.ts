/** Starts the VRRP process, starts it again when it dies, and carries messages both ways. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { createLineDecoder, encodeLine } from './lines.ts'
import { refusedExitCode, type SaidByVrrp, type ToVrrp } from './ports.ts'

export type VrrpChild = {
  readonly send: (message: ToVrrp) => void
  readonly pid: () => number | undefined
  /** Resigns; resolves when the process has gone. False when it had to be killed. */
  readonly stop: (withinMs: number) => Promise<boolean>
}

export type VrrpChildOptions = {
  /** Asked at each start, since a restart depends on what the dead process held. */
  readonly configuration: () => ToVrrp
  readonly onMessage: (said: SaidByVrrp) => void
  /** It died unasked and starts again after `restartInMs`. */
  readonly onDeath: (how: string, restartInMs: number) => void
  /** It said that it can't work here; it is not started again. */
  readonly onRefused: () => void
}

/** Pauses before a restart: none at first, since every millisecond without VRRP counts, then longer and longer. */
const restartPausesMs = [0, 250, 500, 1_000, 2_000, 5_000]

/** A process that lived this long has recovered, and the next restart is immediate again. */
const healthyAfterMs = 10_000

/**
 * A small young generation makes collections short and frequent instead of rare and long; what the process keeps
 * between turns is little.
 */
const nodeOptions = ['--max-semi-space-size=4', '--no-warnings']

export function startVrrpChild(options: VrrpChildOptions): VrrpChild {
  let child: ChildProcess | undefined
  let restarts = 0
  let restarting: NodeJS.Timeout | undefined
  let stopping = false
  let refused = false
  /** Told how the process ended that was asked to leave. */
  let gone: (politely: boolean) => void = () => {}

  const start = (): void => {
    const startedAt = performance.now()
    const started = spawn(process.execPath, [...nodeOptions, join(import.meta.dirname, 'vrrp-process.ts')], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    })
    child = started
    const decode = createLineDecoder<SaidByVrrp>()
    const pipe = pipeOf(started)
    pipe.setEncoding('utf8')
    pipe.on('data', (text: string) => decode(text).forEach(options.onMessage))
    pipe.on('error', () => {})
    send(started, options.configuration())
    started.on('error', () => {})
    started.on('close', (code, signal) => {
      child = undefined
      if (stopping) return gone(code === 0)
      if (code === refusedExitCode) {
        refused = true
        return options.onRefused()
      }
      if (performance.now() - startedAt > healthyAfterMs) restarts = 0
      const pause = restartPausesMs[Math.min(restarts, restartPausesMs.length - 1)]!
      restarts += 1
      options.onDeath(signal === null ? `exit code ${code}` : signal, pause)
      restarting = setTimeout(start, pause)
    })
  }

  /** Asks for leave; kills what does not go. False when it did not leave by itself. */
  const takeLeave = async (withinMs: number): Promise<boolean> => {
    // Killed a moment ago, with its addresses still installed: only another one can take leave and remove them.
    if (child === undefined) start()
    const leaving = child
    if (leaving === undefined) return false
    const left = new Promise<boolean>((resolve) => {
      gone = resolve
    })
    const patience = setTimeout(() => leaving.kill('SIGKILL'), withinMs)
    send(leaving, { kind: 'stop' })
    const politely = await left
    clearTimeout(patience)
    return politely
  }

  start()
  return {
    send: (message) => {
      if (child !== undefined) send(child, message)
    },
    pid: () => child?.pid,
    async stop(withinMs) {
      stopping = true
      clearTimeout(restarting)
      if (refused) return true
      const politely = await takeLeave(withinMs)
      // One that hung or was killed has left its addresses behind.
      if (!politely) await takeLeave(withinMs)
      return politely
    },
  }
}

function send(child: ChildProcess, message: ToVrrp): void {
  const pipe = pipeOf(child)
  if (pipe.writable) pipe.write(encodeLine(message))
}

function pipeOf(child: ChildProcess): Duplex {
  return child.stdio[3] as Duplex
}
