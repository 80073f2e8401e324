/**
 * A program inside a sandbox, held by its real process: signals reach the program and not the `nsenter` around it.
 *
 * A process that enters a pid namespace stays outside itself; only its children are inside. So a shell enters, forks
 * the program, and is told by fork the child's pid as this machine sees it. It passes that pid on and waits.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

export type Program = {
  /** As this machine sees it, not as its pid namespace does. */
  readonly pid: number
  readonly stdin: Writable
  /** Its exit code; 128 and the number of the signal that ended it, as a shell says it. */
  readonly exited: Promise<number>
  /** To the program alone. Nothing happens when it has ended. */
  signal(name: NodeJS.Signals): void
  /** Stops it and all its descendants, as a virtual machine that is paused. */
  freeze(): void
  thaw(): void
  /** SIGKILL to it and all its descendants; resolves when they are gone. */
  kill(): Promise<void>
}

export type ProgramOptions = {
  /** `nsenter` with its arguments, without the program. */
  readonly enter: readonly string[]
  /** What runs the command in turn, such as `ip netns exec NAME`; it must exec, not fork. */
  readonly within: readonly string[]
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly onLine: ((line: string, stream: 'stdout' | 'stderr') => void) | undefined
}

export async function startProgram({ enter, within, command, env, onLine }: ProgramOptions): Promise<Program> {
  const [nsenter, ...enterArgs] = enter
  const wrapper = spawn(
    nsenter!,
    [...enterArgs, '--no-fork', 'sh', '-c', wrapperScript, 'sh', ...within, ...lastStep, ...command],
    {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env,
      detached: true, // out of reach of a terminal's Ctrl-C
    },
  )
  const [, stdout, stderr, pidPipe] = wrapper.stdio as unknown as [Writable, Readable, Readable, Readable]
  const drained = [
    readLines(stdout, (line) => onLine?.(line, 'stdout')),
    readLines(stderr, (line) => onLine?.(line, 'stderr')),
  ]
  // A program that has ended cannot be written to; its `exited` tells that, and no unhandled error should.
  wrapper.stdin?.on('error', () => {})
  let running = true
  const exited = once(wrapper, 'exit').then(async ([code]) => {
    running = false
    // Output may come after the exit, but a grandchild that keeps the pipe open must not keep us.
    await Promise.race([Promise.all(drained), sleep(200, undefined, { ref: false })])
    return (code as number | null) ?? 137
  })

  let said = ''
  // The pipe ends when the program is about to run where it belongs: all its namespaces are entered then.
  await readLines(pidPipe, (line) => {
    said = line
  })
  const pid = Number(said)
  if (!(pid > 1)) throw new Error(`\`${command.join(' ')}\` could not be started in the sandbox`)

  const signalAll = (pids: readonly number[], name: NodeJS.Signals): void => {
    for (const each of running ? pids : []) sendSignal(each, name)
  }
  return {
    pid,
    stdin: wrapper.stdin!,
    exited,
    signal: (name) => signalAll([pid], name),
    freeze: () => signalAll(familyOf(pid), 'SIGSTOP'),
    thaw: () => signalAll(familyOf(pid), 'SIGCONT'),
    kill: async () => {
      const family = familyOf(pid)
      signalAll(family, 'SIGKILL')
      await exited
      while (family.some(isRunning)) await sleep(2)
    },
  }
}

/**
 * Descriptor 3 takes the pid out. A shell gives a background program /dev/null as its standard input and makes it
 * deaf to SIGINT and SIGQUIT; both are undone, since the program should see what it would see in a terminal.
 */
const wrapperScript = [
  'exec 4<&0',
  'env --default-signal=INT,QUIT "$@" <&4 4<&- &',
  'echo $! >&3',
  'exec 3>&- 4<&- <&- >&- 2>&-',
  'wait $!',
].join('\n')

const lastStep = ['sh', '-c', 'exec "$@" 3>&-', 'sh']

/** The process and its descendants, parents first, so that none is restarted while the rest is signalled. */
export function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? parentOf(Number(entry)) : undefined
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const family = [pid]
  for (const member of family) family.push(...(children.get(member) ?? []))
  return family
}

/** Undefined when the process has gone meanwhile. */
function parentOf(pid: number): number | undefined {
  const fields = statOf(pid)
  return fields === undefined ? undefined : Number(fields[1])
}

/** A zombie has ended, though its parent has not asked yet. */
export function isRunning(pid: number): boolean {
  const state = statOf(pid)?.[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** True while the process is stopped by a signal. */
export function isFrozen(pid: number): boolean {
  return statOf(pid)?.[0] === 'T'
}

/** The fields of /proc/PID/stat that follow the name: state, parent, … The name itself may hold anything, even ") ". */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = createInterface({ input: stream })
  lines.on('line', onLine)
  await once(lines, 'close')
}

/** Whether no folder of `path` holds the program. */
export function isMissing(program: string, path = ''): boolean {
  return !path.split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
