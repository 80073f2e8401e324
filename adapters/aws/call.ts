/** One call of an AWS SDK client, ended by its answer, by the caller's signal or by the deadline. Never throws. */
import type { Failure } from '../adapter.ts'
import { givenUp, timedOut } from '../failures.ts'
import { callMs } from '../http.ts'
import { type ErrorTable, failureOf } from './errors.ts'

export type Called<Answer> = { readonly kind: 'answered'; readonly answer: Answer } | Failure

export async function call<Answer>(
  send: (signal: AbortSignal) => Promise<Answer>,
  { signal, table, timeoutMs = callMs }: { signal: AbortSignal; table: ErrorTable; timeoutMs?: number },
): Promise<Called<Answer>> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, deadline])
  try {
    either.throwIfAborted()
    // The SDK heeds the signal only once it sends; looking for credentials before that can take seconds.
    const answer = await Promise.race([aborted(either), send(either)])
    return { kind: 'answered', answer }
  } catch (error) {
    if (signal.aborted) return givenUp
    if (deadline.aborted) return timedOut(timeoutMs)
    return failureOf(error, table, new Date())
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = () => reject(new Error('aborted'))
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}
