/**
 * A piece of this machine that nobody else sees, and that vanishes with the process that made it.
 *
 *   our process ──stdin──▶ pid 1 of private network, mount and pid namespaces: reads until end of file
 *        └── nsenter ──▶ every program of the lab
 *
 * However our process ends, SIGKILL included, the kernel closes the pipe, pid 1 ends, and the kernel then kills
 * every process inside and frees the namespaces. No clean-up has to run for that. /run is private too, so that
 * `ip netns add` makes names which exist only here. Root needs nothing else; an ordinary user gets a user namespace.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isMissing, type Program, startProgram } from './program.ts'

export type Sandbox = {
  /** Its pid 1, as this machine sees it. */
  readonly pid: number
  /** What a person puts before a command to run it inside, from another terminal. */
  readonly enter: readonly string[]
  /** A temporary folder, at the same path inside and outside. It is removed with the sandbox. */
  readonly folder: string
  /** Runs a command to its end. Throws with what it said when it fails. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<{ readonly stdout: string }>
  /** Starts a program and resolves as soon as its process exists. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): Promise<Program>
  /** Resolves when every process in it is gone. */
  [Symbol.asyncDispose](): Promise<void>
}

export type RunOptions = {
  /** The network namespace, by the name `ip netns add` was given. Default: the sandbox's own. */
  readonly in?: string
  /** What the command reads from its standard input. */
  readonly input?: string
}

export type SpawnOptions = {
  readonly in?: string
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Each line of standard output and standard error, as it comes. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void
}

export async function createSandbox(): Promise<Sandbox> {
  const problem = sandboxProblem()
  if (problem !== undefined) throw new Error(problem)
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-lab-'))
  // The outer shell outlives us by a moment, to remove the folder even when we are killed.
  const script = 'folder=$1; shift; unshare "$@"; rm -rf "$folder"'
  const holder = spawn('sh', ['-c', script, 'sh', folder, ...unshareArgs, 'sh', '-c', firstProcess], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: environment(),
    detached: true, // a terminal's Ctrl-C is for us, who then end the sandbox in order
  })
  const gone = once(holder, 'exit')
  const pid = await firstLine(holder)
  const programs = new Set<Program>()

  const sandbox: Sandbox = {
    pid,
    folder,
    enter: ['nsenter', ...nsenterArgs(pid), '--'],
    run: (command, args, options = {}) => run(pid, [...within(options.in), command, ...args], options.input),
    spawn: async (command, args, options = {}) => {
      const program = await startProgram({
        enter: ['nsenter', ...nsenterArgs(pid)],
        within: within(options.in),
        command: [command, ...args],
        env: { ...environment(), ...options.env },
        onLine: options.onLine,
      })
      programs.add(program)
      void program.exited.then(() => programs.delete(program))
      return program
    },
    [Symbol.asyncDispose]: async () => {
      holder.stdin?.end()
      await gone
      await Promise.all([...programs].map((program) => program.exited))
    },
  }
  return sandbox
}

/**
 * Why a sandbox cannot be made here, in one line with what to do about it; undefined when it can.
 * It tries, since no setting tells: kernels, distributions and containers each forbid it in their own way.
 */
export function sandboxProblem(): string | undefined {
  if (process.platform !== 'linux') {
    return 'the lab needs Linux network namespaces: run it on Linux, or in a Linux virtual machine or container'
  }
  for (const [program, debianPackage] of Object.entries(neededPrograms)) {
    if (isMissing(program, environment().PATH)) {
      return `the lab needs the program \`${program}\`: install it (Debian, Ubuntu: apt-get install ${debianPackage})`
    }
  }
  const trial = spawnSync('unshare', [...unshareArgs, 'sh', '-c', firstProcess], {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    env: environment(),
    timeout: 10_000,
  })
  if (trial.status === 0 && /^\d+\n$/.test(trial.stdout)) return undefined
  const said = trial.stderr.trim().split('\n')[0] || `unshare ended with ${trial.signal ?? trial.status}`
  return isRoot()
    ? `the lab may not make namespaces (${said}): in a container, run it privileged, or with the capability SYS_ADMIN`
    : `the lab may not make namespaces for an ordinary user (${said}): run it as root, or allow it with ` +
        'sysctl user.max_user_namespaces=10000 and, on Ubuntu, kernel.apparmor_restrict_unprivileged_userns=0'
}

const neededPrograms = { unshare: 'util-linux', nsenter: 'util-linux', mount: 'mount', ip: 'iproute2' }

/**
 * What pid 1 runs. It says its pid as the machine sees it, which the old /proc still tells, then changes to views of
 * its own. With SIGCHLD ignored the kernel reaps the orphans that end up with pid 1.
 */
const firstProcess = [
  'set -e',
  'read -r pid rest </proc/self/stat',
  'mount -t proc proc /proc',
  'mount -t tmpfs -o mode=755 tmpfs /run',
  'mkdir /run/netns',
  'ip link set lo up',
  'echo "$pid"',
  'exec env --ignore-signal=CHLD cat >/dev/null',
].join('\n')

const isRoot = (): boolean => process.getuid?.() === 0

const unshareArgs: readonly string[] = [
  ...(isRoot() ? [] : ['--user', '--map-root-user']),
  ...['--net', '--mount', '--pid', '--fork', '--kill-child'],
]

function nsenterArgs(pid: number): string[] {
  const user = isRoot() ? [] : ['--user', '--preserve-credentials']
  return ['--target', String(pid), ...user, '--net', '--mount', '--pid']
}

function within(name: string | undefined): readonly string[] {
  return name === undefined ? [] : ['ip', 'netns', 'exec', name]
}

/** Our environment, with the folders for administrators, which PATH of an ordinary user leaves out. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` }
}

async function firstLine(holder: ChildProcess): Promise<number> {
  const lines = createInterface({ input: holder.stdout! })
  for await (const line of lines) return Number(line)
  throw new Error('the sandbox ended before it began')
}

async function run(pid: number, command: readonly string[], input = ''): Promise<{ readonly stdout: string }> {
  const child = spawn('nsenter', [...nsenterArgs(pid), ...command], { env: environment(), detached: true })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A command that ends without reading its input is not an error: its exit code tells.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code, signal] = await once(child, 'close')
  if (code !== 0) throw new Error(`\`${command.join(' ')}\` failed (${signal ?? code}): ${stderr.trim()}`)
  return { stdout }
}
