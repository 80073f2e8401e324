/**
 * Runs an operator's program: directly, never by a shell, as the user that control runs as, in `/`, and in a process
 * group of its own, so that what it started ends with it.
 *
 *   spawn ──stdin──▶ program ──exit──▶ and its output at its end ──▶ exited
 *                       │ too slow, too much, or given up by the caller
 *                       ▼
 *                    SIGTERM to the group ──(killMs - termMs)──▶ SIGKILL to the group
 *
 * What a program leaves running when it exits may go on, unless it holds on to the program's output: then its group is
 * killed, since nobody can tell when that output ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import type { Ended, Run } from '../program.ts'

/** How much of standard error is kept: its end, in characters. */
const complaintLength = 2_000
/** How long output may stay open after the program has exited, in milliseconds. */
const lingerMs = 250

/** Errors after which the same program may well start soon: no room, or it is being replaced right now. */
const passing = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ETXTBSY'])

export async function run(program: Run, signal: AbortSignal): Promise<Ended> {
  const { command, env, input } = program
  if (signal.aborted) return { kind: 'stopped', because: 'caller', complained: '' }
  const [path, ...args] = command
  let child: ChildProcess
  try {
    child = spawn(path, args, { env, cwd: '/', detached: true, shell: false, stdio: 'pipe' })
  } catch (error) {
    return notStarted(error)
  }
  // A program need not read what it is told, nor live until all of it is written.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return new Promise((resolve) => watch(child, program, signal, resolve))
}

function watch(child: ChildProcess, { limits }: Run, signal: AbortSignal, resolve: (ended: Ended) => void): void {
  const timers: NodeJS.Timeout[] = []
  const after = (ms: number, call: () => void) => void timers.push(setTimeout(call, ms))
  let stopped: Extract<Ended, { kind: 'stopped' }>['because'] | undefined
  let said = Buffer.alloc(0)
  let complained = ''

  const finish = (ended: Ended): void => {
    signal.removeEventListener('abort', givenUp)
    resolve(ended)
  }
  const stop = (because: NonNullable<typeof stopped>): void => {
    if (stopped !== undefined) return
    stopped = because
    killGroup(child, 'SIGTERM')
    after(limits.killMs - limits.termMs, () => killGroup(child, 'SIGKILL'))
    after(limits.endMs - limits.termMs, () => {
      letGo(child)
      finish({ kind: 'stopped', because, complained })
    })
  }
  const givenUp = (): void => {
    stop('caller')
    finish({ kind: 'stopped', because: 'caller', complained })
  }
  signal.addEventListener('abort', givenUp, { once: true })
  after(limits.termMs, () => stop('time'))

  child.stdout?.on('data', (chunk: Buffer) => {
    if (stopped !== undefined) return
    said = Buffer.concat([said, chunk])
    if (said.length > limits.outputBytes) stop('output')
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complained = (complained + text).slice(-complaintLength)
  })
  child.on('error', (error) => {
    // Also sent for a signal that could not be sent: then it runs, and ends otherwise.
    if (child.pid !== undefined) return
    for (const timer of timers) clearTimeout(timer)
    finish(notStarted(error))
  })
  child.on('exit', () => {
    after(lingerMs, () => {
      killGroup(child, 'SIGKILL')
      letGo(child)
    })
  })
  child.on('close', (code, by) => {
    // The rest of a group that was told to end is made to, even if its first process has gone.
    if (stopped === undefined) for (const timer of timers) clearTimeout(timer)
    if (stopped !== undefined) finish({ kind: 'stopped', because: stopped, complained })
    else if (code === null) finish({ kind: 'killed', signal: String(by), complained })
    else finish({ kind: 'exited', code, said: said.toString('utf8'), complained })
  })
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody of the group is left.
  }
}

/** Whoever has its output now, and is in no group of ours, keeps it for itself. */
function letGo({ stdout, stderr }: ChildProcess): void {
  stdout?.destroy()
  stderr?.destroy()
}

function notStarted(error: unknown): Ended {
  const code = String((error as { code?: unknown }).code)
  const whys: Readonly<Record<string, string>> = {
    ENOENT: 'it does not exist, or the interpreter in its first line does not',
    EACCES: 'it is not permitted',
  }
  return { kind: 'not-started', retry: passing.has(code), code, why: whys[code] ?? code }
}

/** Why `path` is no program that this user could run. Null: it is one. */
export async function whyNotRunnable(path: string): Promise<string | null> {
  try {
    if (!(await stat(path)).isFile()) return 'it is no file'
    await access(path, constants.X_OK)
    return null
  } catch (error) {
    const code = (error as { code?: unknown }).code
    if (code === 'ENOENT') return 'it does not exist'
    return code === 'EACCES' ? 'it may not be executed by the user that control runs as' : String(code)
  }
}

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env
}
