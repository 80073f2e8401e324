/** A command that stays, as somebody has typed it: through a pipe or at a terminal; told what it has printed so far. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { environment, holdfastProgram, type Ran } from './control-process.ts'
import { eventually } from './eventually.ts'

export type Running = {
  /** What it has printed so far; at a terminal, both in one. */
  stdout(): string
  stderr(): string
  /** Waits until standard output, or with `stderr` that, contains this. */
  prints(text: string | RegExp, where?: 'stdout' | 'stderr'): Promise<string>
  type(text: string): void
  /** Everything there is to read. */
  end(text: string): void
  /** Ctrl-C. */
  interrupt(): void
  readonly ended: Promise<Ran>
}

/** Whether this machine has the `script` of util-linux, which gives a command a terminal of its own. */
export const hasTerminals =
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true

type Start = {
  readonly env?: Readonly<Record<string, string>>
  /** Only where `hasTerminals`. */
  readonly terminal?: boolean
  /** Of the terminal. */
  readonly columns?: number
}

const running = new Set<ChildProcess>()
// A test run that is itself ended leaves nothing behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export function startHoldfast(
  args: readonly string[],
  { env = {}, terminal = false, columns = 160 }: Start = {},
): Running {
  const command = [process.execPath, holdfastProgram, ...args]
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const [program, ...words] = terminal
    ? ['script', '--quiet', '--return', '--command', `stty columns ${columns} rows 50; exec ${quoted}`, '/dev/null']
    : command
  const child = spawn(program!, words, { env: { ...environment, TERM: 'xterm', ...env } })
  running.add(child)
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  }
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code: code ?? signal ?? 0, ...said })
    })
  })
  return {
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    prints: (text, where = 'stdout') =>
      eventually(
        () => said[where],
        (seen) => {
          const there = typeof text === 'string' ? seen.includes(text) : text.test(seen)
          if (!there)
            throw new Error(`it has not printed ${text}, but: ${seen} ${where === 'stdout' ? said.stderr : ''}`)
        },
      ),
    type: (text) => void child.stdin.write(text),
    end: (text) => void child.stdin.end(text),
    // At a terminal it is the key that is pressed.
    interrupt: () => void (terminal ? child.stdin.write('\x03') : child.kill('SIGINT')),
    ended,
  }
}

/** A line of bash that begins with `holdfast`, typed without that. */
export function runLine(line: string): Ran {
  const typed = `'${process.execPath}' '${holdfastProgram}' ${line}`
  const { status, signal, stdout, stderr } = spawnSync('bash', ['--norc', '-c', typed], {
    env: environment,
    encoding: 'utf8',
  })
  return { code: status ?? signal ?? 0, stdout, stderr }
}
