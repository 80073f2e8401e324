/** When `status --watch` looks: at events as they come, by the clock besides, and what it does when nobody answers. */
import { expect, onTestFinished, test } from 'vitest'
import { RefusedError, UnreachableError } from '../../../control/cli/failure.ts'
import { keepLooking, type Look, type Paces } from '../../../control/cli/status-watch.ts'
import { eventText, openStream, type Script, serveEvents } from '../../support/event-server.ts'
import { eventually } from '../../support/eventually.ts'

/** So long that a look which comes is none of the clock's. */
const never = 3_600_000

/** Watches what is said to be there: a word for each look, the last one for all further ones; an error is thrown. */
function startWatching(words: (string | Error)[], paces: Partial<Paces>, url?: string) {
  const shown: string[] = []
  let looks = 0
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const look = async () => {
    looks += 1
    const word = words[Math.min(looks, words.length) - 1]!
    if (word instanceof Error) throw word
    return { json: word, text: () => word }
  }
  const show = (look: Look): void => void shown.push(look.kind === 'seen' ? look.shown.text() : `failed: ${look.why}`)
  const all = { slowMs: never, soonMs: never, leastMs: 0, ...paces }
  const control = url === undefined ? undefined : { url }
  const ended = keepLooking({ look, control }, { show, signal: stop.signal, paces: all })
  return {
    shown,
    looks: () => looks,
    shows: (expected: string[]) =>
      eventually(
        () => [...shown],
        (seen) => expect(seen).toEqual(expected),
      ),
    stop,
    ended,
  }
}

test('an event leads to a look at once, and many of them to few', async () => {
  let send: (text: string) => void = () => undefined
  const { url, asked } = await serveEvents((response) => {
    openStream(response).write(': events follow\nid: 0\n\n')
    send = (text) => void response.write(text)
  })
  const watching = startWatching(['before', 'after the first', 'after many'], { leastMs: 50 }, url)
  await watching.shows(['before'])
  await eventually(
    () => asked.length,
    (streams) => expect(streams).toBe(1),
  )
  send(eventText(1))
  await watching.shows(['before', 'after the first'])
  for (let id = 2; id < 200; id++) send(eventText(id))
  await eventually(
    () => watching.shown,
    (seen) => expect(seen[2]).toBe('after many'),
  )
  expect(watching.looks()).toBeLessThan(20)
  watching.stop.abort()
  await watching.ended
})

test('without an event it looks by the clock', async () => {
  const { url } = await serveEvents((response) => openStream(response).write('id: 0\n\n'))
  const watching = startWatching(['first', 'second', 'third'], { slowMs: 20 }, url)
  await eventually(
    () => watching.shown,
    (seen) => expect(seen.slice(0, 3)).toEqual(['first', 'second', 'third']),
  )
})

test('an agent, which has no events, is looked at soon again', async () => {
  const watching = startWatching(['first', 'second'], { soonMs: 20 })
  await eventually(
    () => watching.shown,
    (seen) => expect(seen.slice(0, 2)).toEqual(['first', 'second']),
  )
})

test('while no events come it looks soon again; when they come again it looks at once, and slowly from then on', async () => {
  const streams: Script[] = [
    (response) => openStream(response).end(eventText(1)),
    (response) => openStream(response).write('id: 1\n\n'),
  ]
  const { url, asked } = await serveEvents(...streams)
  const watching = startWatching(['first', 'again'], { soonMs: 5 }, url)
  await eventually(
    () => asked,
    (streams) => expect(streams).toEqual(['0', '1']),
  )
  // The looks end: the next one by the clock is an hour away.
  let before = -1
  await eventually(
    () => watching.looks(),
    (looks) => {
      const same = looks === before
      before = looks
      expect(same).toBe(true)
    },
    { everyMs: 200 },
  )
  expect(watching.looks()).toBeGreaterThan(2)
})

test('a control that does not answer is shown as that, and asked until it does', async () => {
  const { url } = await serveEvents((response) => openStream(response).write(eventText(1)))
  const words = ['well', new UnreachableError('gone'), new RefusedError('not yet', 503), 'back']
  const watching = startWatching(words, { soonMs: 20 }, url)
  await watching.shows(['well', 'failed: gone', 'failed: not yet', 'back'])
})

test('one that has never answered, and one that refuses, end it', async () => {
  const never = startWatching([new UnreachableError('nobody is there')], { soonMs: 5 })
  await expect(never.ended).rejects.toThrow('nobody is there')
  const refused = startWatching(['well', new RefusedError('no service web', 404)], { soonMs: 5 })
  await expect(refused.ended).rejects.toThrow('no service web')
  const { url } = await serveEvents((response) => response.writeHead(401).end('{"detail":"revoked"}'))
  const revoked = startWatching(['well'], {}, url)
  await expect(revoked.ended).rejects.toThrow('revoked')
})

test('it ends at once, also in the middle of a look that is not answered', async () => {
  const stop = new AbortController()
  const looking = Promise.withResolvers<void>()
  const look = (signal: AbortSignal): Promise<never> => {
    looking.resolve()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))))
  }
  const paces = { slowMs: never, soonMs: never, leastMs: 0 }
  const ended = keepLooking({ look, control: undefined }, { show: () => undefined, signal: stop.signal, paces })
  await looking.promise
  stop.abort()
  await ended
})
