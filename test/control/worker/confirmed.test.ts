/** A former self of an object changes nothing outside. */
import { expect, test } from 'vitest'
import { confirmed } from '../../../control/worker/confirmed.ts'
import { createClock, createResource } from '../world.ts'

const move = { node: 'n1', epoch: 1, token: null }

test('a write that cannot be confirmed does not leave', async () => {
  const { resource, adapter } = createResource(createClock().clock)
  const superseded = confirmed(adapter, () => Promise.reject(new Error('no longer the present one')))
  expect(await superseded.apply(move, new AbortController().signal)).toMatchObject({
    kind: 'retry',
    code: 'Superseded',
  })
  expect(resource.calls).toEqual([])
  await superseded.observe(new AbortController().signal)
  expect(resource.calls).toEqual(['observe'])
})

test('nor one that is given up while it waits for that', async () => {
  const { resource, adapter } = createResource(createClock().clock)
  const given = new AbortController()
  const waiting = confirmed(adapter, async () => given.abort())
  expect(await waiting.apply(move, given.signal)).toMatchObject({ kind: 'retry', code: 'Aborted' })
  expect(resource.calls).toEqual([])
})

test('one that is confirmed does', async () => {
  const { resource, adapter } = createResource(createClock().clock)
  expect(await confirmed(adapter, async () => undefined).apply(move, new AbortController().signal)).toEqual({
    kind: 'done',
  })
  expect(resource.node).toBe('n1')
})
