/**
 * `holdfast status --watch`: shows what changes; on a terminal in place, else as lines.
 *
 *   control's events ──▶ look at once ┐
 *   a slow clock ───────▶ look        ┴──▶ what is shown, and how old it is
 *
 * The clock is there because ages and leases change without an event. An agent has no events: it is looked at each
 * second, and so is a control while its events do not come. It goes on when control, or the agent, does not answer:
 * that is when people watch. Ctrl-C ends it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Access } from './client.ts'
import { followEvents, newestEvent } from './event-follower.ts'
import { mayPass } from './failure.ts'
import type { Shown } from './status.ts'
import { createLive, paint } from './terminal.ts'

export type Watching = {
  readonly look: (signal: AbortSignal) => Promise<Shown>
  /** Whose events tell when to look; undefined: nobody's. */
  readonly control: Access | undefined
}

/** Something new to show. A failure leaves what was seen before. */
export type Look = { readonly kind: 'seen'; readonly shown: Shown } | { readonly kind: 'failed'; readonly why: string }

export type Paces = {
  /** From one look to the next while events come, in milliseconds. */
  readonly slowMs: number
  /** The same while none come. */
  readonly soonMs: number
  /** At least this long, however many events come. */
  readonly leastMs: number
}

const paces: Paces = { slowMs: 5_000, soonMs: 1_000, leastMs: 200 }

export async function watch({ json, ...watching }: Watching & { readonly json: boolean }): Promise<void> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const screen = json ? showJson() : process.stdout.isTTY ? showInPlace() : showLines()
  try {
    await keepLooking(watching, { show: screen.show, signal: stop.signal, paces })
  } finally {
    screen.end?.()
  }
}

type Keeping = { readonly show: (look: Look) => void; readonly signal: AbortSignal; readonly paces: Paces }

/** Resolves when `signal` ends it. Rejects when it is refused, or when there was no answer to begin with. */
export async function keepLooking({ look, control }: Watching, { show, signal, paces }: Keeping): Promise<void> {
  const over = new AbortController()
  const ending = AbortSignal.any([signal, over.signal])
  const bell = createBell(ending)
  let events = control !== undefined
  let failed = false
  const follow = (access: Access, since: number): Promise<void> => {
    const hear = (come: boolean) => (): void => {
      events = come
      bell.ring()
    }
    const { ring } = bell
    const told = { onEvent: ring, onGap: ring, onLost: hear(false), onResumed: hear(true) }
    return followEvents(access, { since, signal: ending, ...told })
  }
  try {
    // Asked before the first look, so that nothing can happen between the two unseen.
    const since = control === undefined ? 0 : await newestEvent(control, ending)
    show({ kind: 'seen', shown: await look(ending) })
    const following = control === undefined ? new Promise<never>(() => undefined) : follow(control, since)
    for (;;) {
      await Promise.race([bell.wait(events && !failed ? paces.slowMs : paces.soonMs), following])
      const next = await tryLook(look, ending)
      failed = next.kind === 'failed'
      show(next)
      await Promise.race([delay(paces.leastMs, undefined, { signal: ending }), following])
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    over.abort()
  }
}

/** Rejects when it is refused, and when it is over. */
async function tryLook(look: Watching['look'], ending: AbortSignal): Promise<Look> {
  try {
    ending.throwIfAborted()
    return { kind: 'seen', shown: await look(ending) }
  } catch (error) {
    if (ending.aborted || !mayPass(error)) throw error
    return { kind: 'failed', why: (error as Error).message }
  }
}

type Bell = { readonly ring: () => void; readonly wait: (ms: number) => Promise<void> }

/** Waits until it is rung, or has been since the last wait, or the time is over. `ending` rings it as well. */
function createBell(ending: AbortSignal): Bell {
  let rung = false
  let wake = (): void => undefined
  const ring = (): void => {
    rung = true
    wake()
  }
  ending.addEventListener('abort', ring, { once: true })
  return {
    ring,
    wait: async (ms) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, rung ? 0 : ms)
      wake = resolve
      await promise
      clearTimeout(timer)
      rung = false
    },
  }
}

/** What is shown is seldom older while everything answers, in seconds. */
const lateS = 7

type Screen = { readonly show: (look: Look) => void; readonly end?: () => void }

/** The first line says how old the rest is, and that no answer comes; it stays in sight on the smallest terminal. */
function showInPlace(): Screen {
  const live = createLive(process.stdout)
  let text = ''
  let why: string | undefined
  let seenAt = performance.now()
  const draw = (): void => {
    const age = Math.round((performance.now() - seenAt) / 1_000)
    const time = `${new Date().toISOString().slice(11, 19)}Z`
    const heading =
      why !== undefined
        ? paint('red', `${time}  ${age} s old: ${why}; asked again until it answers, Ctrl-C ends`)
        : age > lateS
          ? paint('yellow', `${time}  ${age} s old: the next look is not answered yet; Ctrl-C ends`)
          : paint('dim', `${time}  as it was ${age} s ago; Ctrl-C ends`)
    live.draw(`${heading}\n${text}`)
  }
  let ticking: NodeJS.Timeout | undefined
  return {
    show: (look) => {
      ticking ??= setInterval(draw, 1_000)
      if (look.kind === 'seen') {
        text = look.shown.text()
        seenAt = performance.now()
      }
      why = look.kind === 'failed' ? look.why : undefined
      draw()
    },
    end: () => {
      if (ticking === undefined) return
      clearInterval(ticking)
      process.stdout.write('\n')
    },
  }
}

/** Without a terminal there is no place to draw in: what is new is said below what was. */
function showLines(): Screen {
  let last: readonly string[] = []
  return {
    show: (look) => {
      const lines = look.kind === 'seen' ? look.shown.text().split('\n') : [`holdfast: ${look.why}`]
      // How long something has been so grows by itself, and columns move with what is in them: neither is news.
      const gist = lines.map((line) => line.replace(/\b\d+[smhd]\b/g, '').replace(/ +/g, ' '))
      const news = lines.filter((_, i) => !last.includes(gist[i]!))
      last = gist
      if (news.length > 0) process.stdout.write(`${new Date().toISOString()}\n${news.join('\n')}\n`)
    },
  }
}

/** A line of JSON for each change; what is no status goes to standard error. */
function showJson(): Screen {
  let last = ''
  let lost = ''
  return {
    show: (look) => {
      const why = look.kind === 'failed' ? look.why : ''
      if (why !== lost) process.stderr.write(`holdfast: ${why === '' ? 'it answers again' : why}\n`)
      lost = why
      if (look.kind === 'failed') return
      // When a node was last heard changes all the time.
      const { json } = look.shown
      const gist = JSON.stringify(json, (key, value: unknown) => (key === 'lastReport' ? undefined : value))
      if (gist === last) return
      last = gist
      process.stdout.write(`${JSON.stringify(json)}\n`)
    },
  }
}
