/**
 * What became of a write that the provider has accepted and carries out later: an action, an operation, a task.
 *
 *   it failed       as the provider says why: nothing has changed
 *   it is finished  done
 *   anything else   unclear: there was no time left, or it could not be asked. It was accepted all the same, so for a
 *                   move that is done, as far as one can say: looks show what became of it, and until the settle time
 *                   has passed nothing is written again
 */
import type { Failure, Outcome } from '../adapter.ts'
import { givenUp } from '../failures.ts'
import type { Pause } from '../pause.ts'
import { leftOf, type Span, type Value } from './api.ts'

/** `afterMs`: when the provider wants to be asked again. */
export type Progress = { readonly kind: 'running'; readonly afterMs?: number | undefined } | Outcome

export type Ended = { readonly kind: 'unclear' } | Outcome

/** How a job of the provider's is followed: how it is asked about, and what it says. */
export type Following<Job> = {
  look(): Promise<Value<Job> | Failure>
  progress(job: Job): Progress
}

/** Between two questions, in milliseconds; the last one goes on. */
const pauses = [250, 500, 1_000] as const
/** What a question may take, in milliseconds: with less left, none is asked. */
const questionMs = 1_000

/** The end of a write that is at `first`: asks until it is no longer running, or there is no time left. */
export async function endOf<Job>(
  first: Job,
  { look, progress }: Following<Job>,
  { span, pause }: { readonly span: Span; readonly pause: Pause },
): Promise<Ended> {
  let now = progress(first)
  for (let asked = 0; now.kind === 'running'; asked++) {
    const ms = now.afterMs ?? pauses[Math.min(asked, pauses.length - 1)]!
    if (leftOf(span) < ms + questionMs) return { kind: 'unclear' }
    await pause(ms, span.signal)
    if (span.signal.aborted) return givenUp
    const looked = await look()
    if (span.signal.aborted) return givenUp
    if (looked.kind !== 'value') return { kind: 'unclear' }
    now = progress(looked.value)
  }
  return now
}
