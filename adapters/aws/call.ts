/**
 * One call of an AWS SDK client, ended by its answer, by the caller's signal or by the deadline. Never throws.
 *
 * Credentials come first, and by themselves: as long as there are none nothing was sent, so whoever did not give any
 * is named, and it is worth a retry when that may pass. Refused ones may have run out, or have been replaced: they are
 * looked for once more, and a refused call, which had no effect, is made again with others.
 */
import { credentialFailure, credentialSource } from '#aws/connection'
import type { Failure } from '../adapter.ts'
import { failure, givenUp, timedOut } from '../failures.ts'
import { callMs } from '../http.ts'
import { credentialCodes, type ErrorTable, failureOf } from './errors.ts'

export type Called<Answer> = { readonly kind: 'answered'; readonly answer: Answer } | Failure

/** Structural: the `config` of any client. It keeps credentials until they run out, or `forceRefresh` asks for others. */
type Credentials = (options?: { readonly forceRefresh?: boolean }) => Promise<Identity>
type Identity = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }

export type CallOptions = {
  readonly credentials: Credentials
  readonly signal: AbortSignal
  readonly table: ErrorTable
  readonly timeoutMs?: number
}

export async function call<Answer>(
  send: (signal: AbortSignal) => Promise<Answer>,
  { credentials, signal, table, timeoutMs = callMs }: CallOptions,
): Promise<Called<Answer>> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, deadline])

  async function identity(forceRefresh: boolean): Promise<{ readonly kind: 'found'; readonly key: string } | Failure> {
    try {
      const {
        accessKeyId,
        sessionToken = '',
        secretAccessKey,
      } = await raced(either, () => credentials({ forceRefresh }))
      return { kind: 'found', key: JSON.stringify([accessKeyId, secretAccessKey, sessionToken]) }
    } catch (error) {
      if (signal.aborted) return givenUp
      const late = `no AWS credentials within ${timeoutMs} ms: ${credentialSource()} does not answer`
      return deadline.aborted ? failure('retry', 'NoCredentials', late) : credentialFailure(error, either)
    }
  }

  async function once(): Promise<Called<Answer>> {
    try {
      return { kind: 'answered', answer: await raced(either, () => send(either)) }
    } catch (error) {
      if (signal.aborted) return givenUp
      return deadline.aborted ? timedOut(timeoutMs) : failureOf(error, table, new Date())
    }
  }

  const before = await identity(false)
  if (before.kind !== 'found') return before
  const called = await once()
  if (called.kind === 'answered' || !credentialCodes.has(called.code)) return called
  const after = await identity(true)
  if (after.kind !== 'found') return after
  return after.key === before.key ? called : once()
}

/** The SDK heeds a signal only once it sends. */
async function raced<Result>(signal: AbortSignal, begin: () => Promise<Result>): Promise<Result> {
  signal.throwIfAborted()
  return Promise.race([aborted(signal), begin()])
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
  })
}
