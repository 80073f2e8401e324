/** What a check is: a probe, how often it is made, and how many results in a row are a verdict. */

export type Probe =
  /** Answered with a status from `from` to `to`. */
  | { readonly kind: 'http'; readonly url: string; readonly status: { readonly from: number; readonly to: number } }
  /** Accepts a connection. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** Is there, up, and has a carrier. */
  | { readonly kind: 'interface'; readonly name: string }
  /** Ends with exit code 0. The first word is an absolute path; no shell is involved. */
  | { readonly kind: 'exec'; readonly command: readonly string[] }

export type Check = {
  readonly probe: Probe
  /** From the start of one probe to the start of the next, in milliseconds. */
  readonly intervalMs: number
  /** A probe that takes longer has failed; at most `intervalMs`, so that no two overlap. */
  readonly timeoutMs: number
  /** Results in a row that make it pass, and that make it fail: from 1. */
  readonly rise: number
  readonly fall: number
}

/** A check as a service names it. Without a weight, its failure is a fault. */
export type ServiceCheck = { readonly check: string; readonly weight: number | null }

/** An error for people. One that stands for several, as when a name has two addresses, has only a code. */
export function reasonOf(error: NodeJS.ErrnoException): string {
  return error.message || error.code || error.name
}
