/**
 * What became of a write that the provider has accepted and carries out later: an action, an operation, a task.
 *
 *   it failed       as the provider says why: nothing has changed
 *   it is finished  done
 *   anything else   done as well, as far as one can say: it was accepted. Looks show what became of it, and until the
 *                   settle time has passed nothing is written again
 */
import type { Outcome } from '../adapter.ts'
import { givenUp } from '../failures.ts'
import { type Pause, pauseFor } from '../pause.ts'
import { leftOf, type Span } from './api.ts'

/** `unclear`: the provider could not be asked. */
export type Progress = { readonly kind: 'running' } | { readonly kind: 'unclear' } | Outcome

/** What an adapter may be made with besides its configuration. Defaults: `callMs`, and a pause that lasts. */
export type Options = { readonly callTimeoutMs?: number; readonly pause?: Pause }

/** Between two questions, in milliseconds; the last one goes on. */
const pauses = [250, 500, 1_000] as const
/** What a question may take, in milliseconds: with less left, none is asked. */
const questionMs = 1_000

/** The end of a write that is at `first`: asks by `look` until it is no longer running, or there is no time left. */
export async function outcomeOf(
  first: Progress,
  look: () => Promise<Progress>,
  { span, pause = pauseFor }: { readonly span: Span; readonly pause?: Pause | undefined },
): Promise<Outcome> {
  let progress = first
  for (let asked = 0; progress.kind === 'running'; asked++) {
    const ms = pauses[Math.min(asked, pauses.length - 1)]!
    if (leftOf(span) < ms + questionMs) return { kind: 'done' }
    await pause(ms, span.signal)
    if (span.signal.aborted) return givenUp
    progress = await look()
    if (span.signal.aborted) return givenUp
  }
  return progress.kind === 'unclear' ? { kind: 'done' } : progress
}
