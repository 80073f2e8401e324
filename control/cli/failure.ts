/** How a command fails: one line that says what is wrong, where, and what to do. */

/** Wrong usage or configuration: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError' as const
}

/** The command was understood and could not be done: exit code 1. */
export class CommandError extends Error {
  override name = 'CommandError' as const
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
const expectedNames: readonly string[] = ['UsageError', 'CommandError', 'DatabaseError', 'ListenError', 'TlsError']
