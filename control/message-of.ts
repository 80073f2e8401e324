/** What a thrown value says, for a line of the log or of an answer: an error's message, and anything else as text. */

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
