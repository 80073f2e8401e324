/** Where things stand in keepalived's configuration, and what is said about them. Types, and nothing else. */

export type Position = {
  /** As it was named or found. */
  readonly file: string
  /** From 1. */
  readonly line: number
}

/** What makes the file unreadable. */
export type ImportProblem = Position & { readonly message: string }

/**
 * What became of one thing in the file: `carried` as it was; `changed`: carried over, and something is different
 * now; `dropped`: not carried over, and what to do instead.
 */
export type Finding = Position & {
  readonly kind: 'carried' | 'changed' | 'dropped'
  /** In keepalived's words, never with a secret in it. */
  readonly what: string
  readonly text: string
}

/** A file that an `include` brought in. */
export type SourceFile = { readonly file: string; readonly text: string }

/** The files that `pattern` names for somebody who stands in `from`; none when there is none. */
export type FindFiles = (from: string, pattern: string) => readonly SourceFile[]

/** The text of a script, where it can be read here. */
export type Peek = (path: string) => string | undefined
