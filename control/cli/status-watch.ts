/**
 * `holdfast status --watch`: looks every second, and shows what has changed; on a terminal in place, else as lines.
 *
 * It goes on when control, or the agent, does not answer: that is when people watch. Ctrl-C ends it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { describeFailure, UnreachableError } from './failure.ts'
import type { Shown } from './status.ts'
import { createLive, paint } from './terminal.ts'

const everyMs = 1_000

export async function watch(look: () => Promise<Shown>, json: boolean): Promise<void> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const show = json ? showJson() : process.stdout.isTTY ? showInPlace() : showLines()
  let seen = false
  while (!stop.signal.aborted) {
    try {
      show({ shown: await look() })
      seen = true
    } catch (error) {
      // What was never there is a mistake to tell at once.
      if (!seen || !(error instanceof UnreachableError)) throw error
      show({ failure: describeFailure(error) })
    }
    await delay(everyMs, undefined, { signal: stop.signal }).catch(() => undefined)
  }
  if (process.stdout.isTTY && !json) process.stdout.write('\n')
}

type Show = (look: { readonly shown: Shown } | { readonly failure: string }) => void

function showInPlace(): Show {
  const live = createLive(process.stdout)
  let last = ''
  return (look) => {
    const time = paint('dim', `${new Date().toISOString().slice(11, 19)}Z, Ctrl-C ends`)
    if ('shown' in look) last = look.shown.text()
    const failure = 'failure' in look ? `\n${paint('red', look.failure)}; shown is what was seen last` : ''
    live.draw(`${last}${failure}\n${time}`)
  }
}

/** Without a terminal there is no place to draw in: what is new is said below what was. */
function showLines(): Show {
  let last: readonly string[] = []
  return (look) => {
    const text = 'shown' in look ? look.shown.text() : look.failure
    const lines = text.split('\n')
    // How long something has been so grows by itself, and columns move with what is in them: neither is news.
    const gist = lines.map((line) => line.replace(/\b\d+[smhd]\b/g, '').replace(/ +/g, ' '))
    const news = lines.filter((_, i) => !last.includes(gist[i]!))
    last = gist
    if (news.length > 0) process.stdout.write(`${new Date().toISOString()}\n${news.join('\n')}\n`)
  }
}

/** A line of JSON for each change. */
function showJson(): Show {
  let last = ''
  return (look) => {
    if ('failure' in look) return void process.stderr.write(`${look.failure}\n`)
    // When a node was last heard changes all the time.
    const gist = JSON.stringify(look.shown.json, (key, value: unknown) => (key === 'lastReport' ? undefined : value))
    if (gist === last) return
    last = gist
    process.stdout.write(`${JSON.stringify(look.shown.json)}\n`)
  }
}
