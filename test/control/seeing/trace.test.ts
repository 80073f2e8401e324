/** Traces of moves: what is in one, and how it gets to a collector that is slow, refuses, or is not there. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Timer } from '../../../control/core/ports.ts'
import type { Operation } from '../../../control/operation.ts'
import { createExporter } from '../../../control/seeing/exporter.ts'
import { spansOf, traceparentOf } from '../../../control/seeing/trace.ts'
import { eventually } from '../../support/eventually.ts'
import { type Receiver, startReceiver } from '../../support/otlp-receiver.ts'
import { createClock, createWorld, webService } from '../world.ts'

const began = Date.parse('2026-11-22T09:00:00.000Z')
const step = (name: string, afterMs: number) => ({ name, at: new Date(began + afterMs).toISOString(), afterMs })

const failover: Operation = {
  id: 'op-abc-1',
  kind: 'failover',
  service: 'web',
  from: 'n1',
  to: 'n2',
  epoch: 2,
  priority: null,
  reason: 'no-answer',
  by: null,
  status: 'done',
  failure: null,
  steps: [
    step('detected', 0),
    step('owner moved', 151),
    step('accepted eip', 300),
    step('visible eip', 402),
    step('settled', 403),
    step('seen', 520),
  ],
  report: {
    detectMs: 3_012,
    decideMs: 151,
    acceptedMs: 300,
    visibleMs: 402,
    seenMs: 520,
    bindings: [{ name: 'eip', acceptedMs: 300, visibleMs: 402 }],
  },
}

/** Each span with its beginning and end, in milliseconds after the first sign. */
const times = (operation: Operation) =>
  spansOf(operation).map(({ name, startTimeUnixNano, endTimeUnixNano }) => [
    name,
    Number(BigInt(startTimeUnixNano) / 1_000_000n) - began,
    Number(BigInt(endTimeUnixNano) / 1_000_000n) - began,
  ])

describe('spans', () => {
  test('of a failover: detected, claimed, decided, applied, verified, seen', () => {
    expect(times(failover)).toEqual([
      ['failover web', -3_012, 520],
      ['detected', -3_012, 0],
      ['claimed', 0, 151],
      ['decided', 151, 151],
      ['applied eip', 151, 300],
      ['verified eip', 300, 402],
      ['seen', 402, 520],
    ])
    const [root, ...rest] = spansOf(failover)
    expect(root).not.toHaveProperty('parentSpanId')
    expect(new Set(rest.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([root!.spanId]))
    expect(new Set(spansOf(failover).map(({ spanId }) => spanId)).size).toBe(7)
    expect(root!.attributes).toContainEqual({ key: 'holdfast.epoch', value: { intValue: '2' } })
    expect(root!.attributes.map(({ key }) => key)).not.toContain('holdfast.by')
  })

  test('of a switchover, whose target claims before anything is decided', () => {
    const steps = [step('requested', 0), step('told', 0), step('target active', 20), step('owner moved', 25)]
    const names = times({
      ...failover,
      kind: 'switchover',
      steps,
      report: { ...failover.report!, detectMs: null, bindings: [] },
    })
    expect(names).toEqual([
      ['switchover web', 0, 25],
      ['detected', 0, 0],
      ['claimed', 0, 20],
      ['decided', 20, 25],
    ])
  })

  test('of a move that failed say so', () => {
    const [root] = spansOf({ ...failover, status: 'failed', failure: 'it took too long' })
    expect(root!.status).toEqual({ code: 2, message: 'it took too long' })
  })

  test('have ids that follow from the operation’s, as FNV-1a gives them', () => {
    expect(traceparentOf({ id: '' })).toMatch(/^00-6c62272e07bb014262b821756295c58d-/)
    expect(traceparentOf({ id: 'a' })).toMatch(/^00-d228cb696f1a8caf78912b704e4a8964-/)
    const [root] = spansOf(failover)
    expect(traceparentOf(failover)).toBe(`00-${root!.traceId}-${root!.spanId}-01`)
    expect(traceparentOf({ id: 'op-abc-2' })).not.toBe(traceparentOf(failover))
  })
})

describe('on their way to a collector', () => {
  const receivers: Receiver[] = []
  afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())))

  /** `timer`: default one that always comes. */
  async function start(timer?: Timer) {
    const receiver = await startReceiver()
    receivers.push(receiver)
    const time = createClock()
    const logged: { level: string; event: string; text: string }[] = []
    const exporter = createExporter({
      url: `${receiver.url}?key=secret-in-the-address`,
      headers: { authorization: 'Bearer secret-in-a-header' },
      ports: {
        ...time,
        ...(timer === undefined ? {} : { timer }),
        log: (level, entry) => void logged.push({ level, event: entry.event, text: JSON.stringify(entry) }),
      },
      fetch,
    })
    const received = (count: number) =>
      eventually(
        () => Promise.resolve(receiver.spans.filter(({ name }) => name.startsWith('failover')).length),
        (moves) => expect(moves).toBe(count),
      )
    const asked = (count: number) =>
      eventually(
        () => Promise.resolve(receiver.requests.length),
        (requests) => expect(requests).toBe(count),
      )
    const said = (count: number) =>
      eventually(
        () => Promise.resolve(logged.length),
        (lines) => expect(lines).toBe(count),
      )
    return { receiver, exporter, time, logged, received, asked, said }
  }

  /** As `start`, and one trace has been sent, which is answered so. */
  async function startSent(answer: Receiver['answer']) {
    const it = await start()
    it.receiver.answer = answer
    it.exporter.add(failover)
    await it.asked(1)
    return it
  }

  test('they arrive as OTLP wants them, with the headers that were configured', async () => {
    const { receiver, exporter, received, logged } = await start()
    exporter.add(failover)
    await received(1)
    expect(receiver.spans).toEqual(spansOf(failover))
    expect(receiver.requests[0]!.headers).toMatchObject({ authorization: 'Bearer secret-in-a-header' })
    expect(logged).toEqual([])
  })

  test('a collector that is overloaded is given them again; that is said once, and without secrets', async () => {
    const { receiver, exporter, time, logged, received, asked, said } = await startSent(503)
    await said(1)
    exporter.add({ ...failover, id: 'op-abc-2' })
    await time.pass(1_000)
    await asked(2)
    receiver.answer = null
    await eventually(
      () => time.pass(2_000),
      () => expect(receiver.requests.length).toBe(3),
    )
    await received(2)
    await said(2)
    expect(logged.map(({ level, event }) => `${level} ${event}`)).toEqual([
      'warn traces-not-taken',
      'info traces-taken',
    ])
    expect(logged.map(({ text }) => text).join()).not.toContain('secret')
  })

  test('where no timer comes, they are given again with the next that is due after the pause', async () => {
    const { receiver, exporter, time, logged, received, asked } = await start({ at: () => () => undefined })
    receiver.answer = 503
    exporter.add(failover)
    await asked(1)
    await eventually(
      () => Promise.resolve(logged.length),
      (lines) => expect(lines).toBe(1),
    )
    receiver.answer = null
    await time.pass(999)
    exporter.add({ ...failover, id: 'op-abc-2' })
    expect(receiver.requests).toHaveLength(1)
    await time.pass(1)
    exporter.add({ ...failover, id: 'op-abc-3' })
    await received(3)
    expect(receiver.requests).toHaveLength(2)
  })

  test('what a collector refuses is not sent again', async () => {
    const { receiver, exporter, time, received, said } = await startSent(400)
    await said(1)
    receiver.answer = null
    await time.pass(60_000)
    exporter.add({ ...failover, id: 'op-abc-2' })
    await received(1)
    expect(receiver.requests).toHaveLength(2)
  })

  test('one that does not answer is given up on', async () => {
    const { receiver, time, received, said } = await startSent('silence')
    await time.pass(5_000)
    await said(1)
    receiver.answer = null
    await eventually(
      () => time.pass(1_000),
      () => expect(receiver.requests).toHaveLength(2),
    )
    await received(1)
  })

  test('the oldest of too many are dropped', async () => {
    const { receiver, exporter, time, received, said } = await startSent(503)
    await said(1)
    for (let i = 0; i < 300; i++) exporter.add({ ...failover, id: `op-later-${i}` })
    receiver.answer = null
    await eventually(
      () => time.pass(1_000),
      () => expect(receiver.requests).toHaveLength(2),
    )
    await received(256)
    expect(receiver.spans.at(-1)!.traceId).toBe(spansOf({ ...failover, id: 'op-later-299' })[0]!.traceId)
  })
})

test('an operation says which trace it is, and what it took', async () => {
  const world = await createWorld({ services: { web: webService } })
  const { cluster, said, call, pass, measured } = world
  world.connect('n1')
  world.connect('n2')
  await cluster.report(said('n1', 'active'), 'link')
  await cluster.report(said('n2', 'backup'), 'link')
  await pass(1_000)
  await cluster.report(said('n1', 'backup'), 'link')
  await cluster.report(said('n2', 'active'), 'link')
  await pass(10_000)
  const ended = measured.find((measure) => measure.kind === 'ended')
  const { id } = ended!.operation
  const body = (await (await call('GET', `/v1/operations/${id}`, 'viewer-token')).json()) as Record<string, unknown>
  expect(body.traceparent).toBe(traceparentOf({ id }))
  expect(body.report).toMatchObject({ decideMs: expect.any(Number), visibleMs: expect.any(Number) })
  expect(spansOf(ended!.operation).map(({ name }) => name)).toEqual([
    'failover web',
    'detected',
    'claimed',
    'decided',
    'applied eip',
    'verified eip',
  ])
})
