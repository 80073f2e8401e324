/**
 * The last known map, kept current.
 *
 *   a request ──▶ in memory? ──no──▶ what was kept (cache, then object) ──▶ control, if it answers soon
 *                     └──yes──▶ used at once; behind it, one question waits at control for the next change
 *
 * As long as requests come, that question is always out, so that a change is known here as soon as control's answer
 * has travelled. While control does not answer, the last known map serves, however old, also in an isolate that has
 * only just started.
 */
import type { EdgeMap, EdgeRoute } from './contract.ts'
import { type Known, learnKept, learnMap, nothingKnown } from './known.ts'
import { indexRoutes, type RouteIndex } from './route.ts'

/** How long a map that control has confirmed is believed without being asked for again, in milliseconds. */
const trustMs = 1_000
/** How long a request waits for control: when something is known that it can be served from, and when nothing is. */
const patienceMs = 500
const firstPatienceMs = 5_000
/** How long a question waits at control, and how long it is believed to be out; a runtime may end it without a word. */
const waitMs = 15_000
const outMs = waitMs + 3_000
/** How soon control is asked again after it did not answer, in milliseconds. */
const retryMs = 2_000

export type Change = { readonly known: Known; readonly changed: readonly EdgeRoute[]; readonly gone: readonly string[] }

/** Where the map survives an isolate. */
export type Keep = { read(): Promise<Known | null>; write(change: Change): Promise<void> }

/** Resolves to null when nothing has changed since `etag`. */
export type AskControl = (
  etag: string | null,
  options: { readonly waitMs: number; readonly timeoutMs: number },
) => Promise<{ readonly etag: string | null; readonly map: EdgeMap } | null>

/** What one request may use: a runtime ties every connection to the request that it was opened for. */
export type Sources = {
  readonly control: AskControl | null
  readonly keeps: readonly Keep[]
  /** Goes on with the work after the request has been answered. */
  behind(work: Promise<unknown>): void
  failed(what: string, error: unknown): void
}

export type MapKeeper = {
  /** Null: nothing was ever heard. */
  current(sources: Sources): Promise<RouteIndex | null>
  /** Somebody has written this: it need not be looked for. */
  learn(written: Known): void
}

type State = {
  known: Known
  index: RouteIndex
  heard: boolean
  loaded: boolean
  etag: string | null
  confirmedAt: number
  outUntil: number
  retryAt: number
}

export function createMapKeeper(now: () => number): MapKeeper {
  const never = Number.NEGATIVE_INFINITY
  const state: State = {
    known: nothingKnown,
    index: new Map(),
    heard: false,
    loaded: false,
    etag: null,
    confirmedAt: never,
    outUntil: never,
    retryAt: never,
  }
  return {
    current: async (sources) => {
      if (!state.loaded) await load(state, sources)
      state.loaded = true
      const isOut = now() < state.outUntil
      const failing = now() < state.retryAt
      const stale = !isOut && now() - state.confirmedAt > trustMs
      if (!state.heard) await ask(state, sources, { now, waitMs: 0, timeoutMs: firstPatienceMs })
      else if (stale && !failing && state.retryAt === never)
        await ask(state, sources, { now, waitMs: 0, timeoutMs: patienceMs })
      if (now() >= state.outUntil && now() >= state.retryAt) sources.behind(stayCurrent(state, sources, now))
      return state.heard ? state.index : null
    },
    learn: (written) => become(state, learnKept(state.known, written)),
  }
}

/** What was kept, wherever it was kept. */
async function load(state: State, { keeps, failed }: Sources): Promise<void> {
  const kept = await Promise.all(
    keeps.map((keep) =>
      keep.read().catch((error: unknown) => {
        failed('the kept map could not be read', error)
        return null
      }),
    ),
  )
  for (const one of kept) if (one !== null) become(state, learnKept(state.known, one))
}

function become(state: State, known: Known): void {
  if (known === state.known) return
  state.known = known
  state.index = indexRoutes(known.routes.values())
  state.heard ||= known.routes.size > 0
}

type Asking = { readonly now: () => number; readonly waitMs: number; readonly timeoutMs: number }

/** Whether control has answered. */
async function ask(state: State, sources: Sources, { now, ...options }: Asking): Promise<boolean> {
  const { control, keeps, behind, failed } = sources
  if (control === null) return false
  try {
    const answer = await control(state.etag, options)
    state.confirmedAt = now()
    state.retryAt = Number.NEGATIVE_INFINITY
    state.heard = true
    if (answer === null) return true
    state.etag = answer.etag
    const learnt = learnMap(state.known, answer.map.routes)
    become(state, learnt.known)
    if (learnt.changed.length + learnt.gone.length > 0) {
      const write = (keep: Keep) => keep.write(learnt).catch((error: unknown) => failed('the map was not kept', error))
      behind(Promise.all(keeps.map(write)))
    }
    return true
  } catch (error) {
    state.retryAt = now() + retryMs
    failed('control does not answer; the last known map serves', error)
    return false
  }
}

/** Waits for the next change; without control, looks whether somebody has written one. */
async function stayCurrent(state: State, sources: Sources, now: () => number): Promise<void> {
  if (sources.control === null) {
    state.confirmedAt = now()
    state.retryAt = now() + trustMs
    await load(state, sources)
    return
  }
  state.outUntil = now() + outMs
  // The first question after a start or a failure is answered at once, the next ones wait.
  const wait = state.etag === null ? 0 : waitMs
  const answered = await ask(state, sources, { now, waitMs: wait, timeoutMs: wait + patienceMs * 4 })
  state.outUntil = Number.NEGATIVE_INFINITY
  if (!answered) await load(state, sources)
}
