/** What the lab can do with a router, whichever program it is: keepalived.ts and agent.ts start one each. */
import { nowMs } from './clock.ts'
import type { Program } from './program.ts'

/** The words of RFC 9568, whatever the program calls them in its log. */
export type RouterState = 'initialize' | 'backup' | 'active' | 'fault'

/** `at` is when we read it, in milliseconds of `nowMs`. */
export type LogLine = { readonly at: number; readonly text: string }

export type RouterProcess = {
  readonly node: string
  readonly program: Program
  /** Everything it has logged, in order; it grows. */
  readonly log: readonly LogLine[]
  /** Of one service, by its name; `initialize` until the log says otherwise. */
  state(service?: string): RouterState
  /** Resolves with the instant at which the log said so, or at once when it is so already. */
  untilState(state: RouterState, deadlineMs?: number, service?: string): Promise<number>
  /** Resolves with the first line, already logged or yet to come, that fits. Rejects at the deadline (default 30 s) or the end. */
  until(fits: (line: LogLine) => boolean, deadlineMs?: number): Promise<LogLine>
  /** SIGTERM, then waits for the end; its exit code. */
  stop(): Promise<number>
  /** SIGKILL to all its processes. Its addresses stay on the interface: nobody was left to remove them. */
  kill(): Promise<void>
  freeze(): void
  thaw(): void
}

/** Keeps a program's lines and wakes those who wait for one. */
export type Log = {
  readonly lines: readonly LogLine[]
  add(text: string): void
  end(reason: string): void
  /** Looks at the lines from number `from` on, and at those to come. */
  until(fits: (line: LogLine) => boolean, deadlineMs: number, from?: number): Promise<LogLine>
}

export function createLog(name: string): Log {
  const lines: LogLine[] = []
  const waiting = new Set<{ hear: (line: LogLine) => void; fail: (error: Error) => void }>()
  let ended: string | undefined
  const lastWords = (): string =>
    lines
      .slice(-3)
      .map(({ text }) => `\n  ${text}`)
      .join('')
  return {
    lines,
    add: (text) => {
      const line = { at: nowMs(), text }
      lines.push(line)
      for (const { hear } of [...waiting]) hear(line)
    },
    end: (reason) => {
      ended = reason
      for (const { fail } of [...waiting]) fail(new Error(`${name} ${reason}; its last words:${lastWords()}`))
    },
    until: (fits, deadlineMs, from = 0) => {
      const past = lines.slice(from).find(fits)
      if (past !== undefined) return Promise.resolve(past)
      if (ended !== undefined) return Promise.reject(new Error(`${name} ${ended}; its last words:${lastWords()}`))
      return new Promise((resolve, reject) => {
        const finish = (): void => {
          clearTimeout(timer)
          waiting.delete(waiter)
        }
        const fail = (error: Error): void => {
          finish()
          reject(error)
        }
        const hear = (line: LogLine): void => {
          if (!fits(line)) return
          finish()
          resolve(line)
        }
        const late = (): void =>
          fail(new Error(`${name} did not say it within ${deadlineMs} ms; its last words:${lastWords()}`))
        const waiter = { hear, fail }
        const timer = setTimeout(late, deadlineMs)
        waiting.add(waiter)
      })
    },
  }
}

export type RouterParts = {
  readonly node: string
  readonly program: Program
  readonly log: Log
  /** The state that a line announces for a service, if it announces one. */
  readonly announced: (line: LogLine, service: string) => RouterState | undefined
  readonly defaultService: string
}

export function routerProcess({ node, program, log, announced, defaultService }: RouterParts): RouterProcess {
  void program.exited.then((code) => log.end(`ended with ${code}`))
  const latest = (service: string): { state: RouterState; at: number } => {
    for (const line of log.lines.toReversed()) {
      const state = announced(line, service)
      if (state !== undefined) return { state, at: line.at }
    }
    return { state: 'initialize', at: 0 }
  }
  return {
    node,
    program,
    log: log.lines,
    state: (service = defaultService) => latest(service).state,
    untilState: async (state, deadlineMs = 30_000, service = defaultService) => {
      const now = latest(service)
      if (now.state === state) return now.at
      const says = (line: LogLine): boolean => announced(line, service) === state
      return (await log.until(says, deadlineMs, log.lines.length)).at
    },
    until: (fits, deadlineMs = 30_000) => log.until(fits, deadlineMs),
    stop: () => {
      program.signal('SIGTERM')
      return program.exited
    },
    kill: () => program.kill(),
    freeze: () => program.freeze(),
    thaw: () => program.thaw(),
  }
}
