/** How a command fails: one line that says what is wrong, where, and what to do. */

/** Wrong usage or configuration: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError' as const
}

/** The command was understood and could not be done: exit code 1. */
export class CommandError extends Error {
  override name = 'CommandError' as const
}

/** Control, or the agent, did not answer. Exit code 1. */
export class UnreachableError extends Error {
  override name = 'UnreachableError' as const
}

/** Control answered that it does not do this. Exit code 1. */
export class RefusedError extends Error {
  override name = 'RefusedError' as const
  /** Of HTTP. */
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

/** Whether the same may be answered otherwise soon: control is on its way up or down, or has enough to do. */
export function mayPass(error: unknown): boolean {
  if (error instanceof RefusedError) return error.status >= 500 || error.status === 429
  return error instanceof UnreachableError
}

export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Each of its lines begins with file and line already, as editors and people expect.
  if (error.name === 'ConfigError') return error.message
  const expected = expectedNames.includes(error.name) || 'code' in error
  // Anything else is a defect of ours, and the stack is what we need to be told.
  return expected ? `holdfast: ${error.message}` : (error.stack ?? error.message)
}

/** By name: importing the modules that define them would make every command as slow to start as control. */
const expectedNames: readonly string[] = [
  'UsageError',
  'CommandError',
  'UnreachableError',
  'RefusedError',
  'DatabaseError',
  'ListenError',
  'StorageError',
  'TlsError',
]
