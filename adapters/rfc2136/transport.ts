/** How messages travel: over TCP, some of them on one connection, each answered. What differs between runtimes is this alone. */
import type { Failure } from '../adapter.ts'

export type Server = { readonly host: string; readonly port: number }

/** The answers, in the order of the messages, each found by its id. */
export type Exchanged = { readonly kind: 'answered'; readonly answers: readonly Uint8Array[] } | Failure

export type Exchange = (
  server: Server,
  messages: readonly Uint8Array[],
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
) => Promise<Exchanged>
