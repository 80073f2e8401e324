/** What a cloud has accepted and carries out later: an action, an operation, a task. It takes effect when it ends. */

export type Job = {
  readonly id: number
  readonly startedAt: number
  readonly endsAt: number
  /** What went wrong when it ended: then it has no effect. */
  readonly error: { readonly code: string; readonly message: string } | null
  readonly isOver: boolean
}

export type JobOptions = {
  /** How long a job runs. Default: it is over when one asks. */
  readonly jobMs?: number
  /** How a job ends. Default: well. */
  readonly jobError?: NonNullable<Job['error']>
}

export function beginJob({ jobMs = 0, jobError }: JobOptions, jobs: readonly Job[], now: Date): Job {
  const startedAt = now.getTime()
  return { id: jobs.length + 1, startedAt, endsAt: startedAt + jobMs, error: jobError ?? null, isOver: false }
}

/** The state in which all jobs that end by `now` have ended, each by `effect` where it went well. */
export function withEnded<State extends { readonly jobs: readonly Job[] }>(
  state: State,
  now: Date,
  effect: (state: State, job: State['jobs'][number]) => State,
): State {
  const ends = ({ isOver, endsAt }: Job) => !isOver && endsAt <= now.getTime()
  const ended = state.jobs.filter(ends)
  if (ended.length === 0) return state
  const over = { ...state, jobs: state.jobs.map((job) => (ends(job) ? { ...job, isOver: true } : job)) }
  return ended.filter(({ error }) => error === null).reduce(effect, over)
}
