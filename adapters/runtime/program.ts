/** One run of a program: what it is given, and how it ends. */

export type Run = {
  /** The program by its absolute path, and its arguments. */
  readonly command: readonly [string, ...string[]]
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
  /** What it reads. */
  readonly input: string
  readonly limits: RunLimits
}

export type RunLimits = {
  /** When it is asked to end (SIGTERM), made to (SIGKILL), and not waited for any longer, in milliseconds. */
  readonly termMs: number
  readonly killMs: number
  readonly endMs: number
  /** How much it may write on standard output, in bytes. */
  readonly outputBytes: number
}

export type Ended =
  /** By itself. `said`: its standard output; `complained`: the end of its standard error. */
  | { readonly kind: 'exited'; readonly code: number; readonly said: string; readonly complained: string }
  /** By a signal that was not ours. */
  | { readonly kind: 'killed'; readonly signal: string; readonly complained: string }
  /** Made to end: it took too long, it wrote too much, or its caller gave it up. */
  | { readonly kind: 'stopped'; readonly because: 'time' | 'output' | 'caller'; readonly complained: string }
  /** It never ran: `retry` when the machine may have room for it soon. */
  | { readonly kind: 'not-started'; readonly retry: boolean; readonly code: string; readonly why: string }
