/** Following the audit trail of a real server that breaks connections off, repeats itself, and comes back as another one. */
import { expect, test } from 'vitest'
import { type Block, createReader, followEvents } from '../../../control/cli/event-follower.ts'
import { RefusedError } from '../../../control/cli/failure.ts'
import { eventText, openStream as open, serveEvents as serve } from '../../support/event-server.ts'

/** Follows until `last`; what came, in order. */
async function follow(url: string, { since = 0, last }: { since?: number; last: number }): Promise<string[]> {
  const came: string[] = []
  const stop = new AbortController()
  await followEvents(
    { url },
    {
      since,
      signal: stop.signal,
      onEvent: ({ id }) => {
        came.push(String(id))
        if (id === last) stop.abort()
      },
      onGap: (why) => came.push(`gap: ${why}`),
      onLost: () => came.push('lost'),
      onResumed: () => came.push('resumed'),
    },
  )
  return came
}

test('a lost connection is taken up where it ended, without a gap and without repeating anything', async () => {
  const { url, asked } = await serve(
    // Ends in the middle of an event.
    (response) => open(response).end(`: hello\nid: 4\n\n${eventText(5)}${eventText(6)}id: 7\nevent`),
    (response) => response.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"detail":"not yet"}'),
    (response) => open(response).write(`${eventText(6)}${eventText(7)}${eventText(8)}`),
  )
  expect(await follow(url, { since: 4, last: 8 })).toEqual(['5', '6', 'lost', 'resumed', '7', '8'])
  expect(asked).toEqual(['4', '6', '6'])
})

test('a stream without events for this reader moves it on all the same', async () => {
  const { url, asked } = await serve(
    (response) => open(response).end('id: 40\n: alive\n\n'),
    (response) => open(response).write(eventText(41)),
  )
  expect(await follow(url, { last: 41 })).toEqual(['lost', 'resumed', '41'])
  expect(asked).toEqual(['0', '40'])
})

test('a gap is told, also when the trail begins anew', async () => {
  const { url } = await serve((response) =>
    open(response).write(`id: 2\nevent: gap\ndata: {"first":3,"why":"restored"}\n\n${eventText(3)}`),
  )
  expect(await follow(url, { since: 90, last: 3 })).toEqual(['gap: restored', '3'])
})

test('what control refuses is not asked again', async () => {
  const { url, asked } = await serve((response) => response.writeHead(401).end('{"detail":"who are you?"}'))
  const refusal = await follow(url, { last: 1 }).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(RefusedError)
  expect((refusal as Error).message).toContain('who are you?')
  expect(asked).toHaveLength(1)
})

test('a token that is revoked meanwhile ends it', async () => {
  const { url } = await serve(
    (response) => open(response).end(eventText(1)),
    (response) => response.writeHead(401).end('{"detail":"revoked"}'),
  )
  await expect(follow(url, { last: 2 })).rejects.toThrow('revoked')
})

test('events are whole in whatever pieces they arrive', () => {
  const text = `: hello\n\n${eventText(1)}id: 2\n: alive\n\n${eventText(3)}`
  const whole: Block[] = []
  createReader((block) => whole.push(block))(text)
  expect(whole.map(({ id, name }) => [id, name])).toEqual([
    [undefined, undefined],
    [1, 'some-kind'],
    [2, undefined],
    [3, 'some-kind'],
  ])
  for (let size = 1; size < text.length; size++) {
    const pieces: Block[] = []
    const read = createReader((block) => pieces.push(block))
    for (let i = 0; i < text.length; i += size) read(text.slice(i, i + size))
    expect(pieces).toEqual(whole)
  }
})
