/** What operators do over the API beside moving: hold, drain, acknowledge, and look at what came of it. */
import { describe, expect, test } from 'vitest'
import type { ServiceView } from '../../../control/core/view.ts'
import { problemOf } from '../../support/problems.ts'
import { createWorld } from '../world.ts'

async function settled() {
  const it = await createWorld()
  it.cluster.start()
  await it.cluster.report(it.said('n1', 'active'), 'post')
  await it.cluster.report(it.said('n2', 'backup'), 'post')
  await it.idle()
  const ask = (method: string, path: string, body?: unknown) => it.call(method, path, 'operator-token', body)
  const events = (kind: string) => it.store.events({ since: 0, limit: 1_000 }).filter((event) => event.kind === kind)
  return { ...it, ask, events }
}

describe('hold', () => {
  test('freezes the service, says who and why, and repeated changes nothing', async () => {
    const it = await settled()
    const held = await it.ask('PUT', '/v1/services/web/hold', { reason: 'migration' })
    expect(held.status).toBe(200)
    const view = (await held.json()) as ServiceView
    expect(view).toMatchObject({ phase: 'held', hold: { by: 'ops', reason: 'migration' } })
    for (const body of [{ reason: 'migration' }, {}, undefined]) {
      const again = await it.ask('PUT', '/v1/services/web/hold', body)
      expect([again.status, await again.json()]).toEqual([200, view])
    }
    expect(it.events('held')).toHaveLength(1)
    expect(await problemOf(await it.ask('POST', '/v1/services/web/switchover'))).toMatchObject({ code: 'held' })
  })

  test('ends with its release, once', async () => {
    const it = await settled()
    await it.ask('PUT', '/v1/services/web/hold')
    const released = await it.ask('DELETE', '/v1/services/web/hold?reason=done%20now')
    expect(await released.json()).toMatchObject({ phase: 'settled', hold: null })
    expect(it.events('released')).toMatchObject([{ detail: { by: 'ops', reason: 'done now' } }])
    expect(await problemOf(await it.ask('DELETE', '/v1/services/web/hold'))).toMatchObject({
      status: 409,
      code: 'not-held',
    })
  })
})

describe('drain', () => {
  test('empties a node, answers with the moves, and repeated is the same drain', async () => {
    const it = await settled()
    const drained = await it.ask('PUT', '/v1/nodes/n1/drain', { reason: 'new disk' })
    expect(drained.status).toBe(202)
    const body = (await drained.json()) as { drain: object; operations: { id: string }[] }
    expect(body).toMatchObject({
      node: 'n1',
      drain: { by: 'ops', reason: 'new disk' },
      operations: [{ kind: 'drain', service: 'web', from: 'n1', to: 'n2', status: 'running' }],
    })
    const again = (await (await it.ask('PUT', '/v1/nodes/n1/drain', { reason: 'other' })).json()) as typeof body
    expect(again.drain).toEqual(body.drain)
    expect(it.events('drained')).toHaveLength(1)

    await it.cluster.report(it.said('n2', 'active'), 'post')
    await it.cluster.report(it.said('n1', 'backup'), 'post')
    await it.idle()
    const { operations } = (await (await it.ask('GET', '/v1/operations?service=web')).json()) as {
      operations: object[]
    }
    expect(operations).toMatchObject([{ id: body.operations[0]!.id, status: 'done' }])
    const { nodes } = (await (await it.ask('GET', '/v1/nodes')).json()) as { nodes: object[] }
    expect(nodes).toMatchObject([
      { node: 'n1', drain: { by: 'ops' } },
      { node: 'n2', drain: null },
    ])

    const undrained = await it.ask('DELETE', '/v1/nodes/n1/drain?reason=back')
    expect(await undrained.json()).toEqual({ node: 'n1', drain: null })
    expect(await problemOf(await it.ask('DELETE', '/v1/nodes/n1/drain'))).toMatchObject({
      status: 409,
      code: 'not-drained',
    })
  })

  test.each(['PUT', 'DELETE'])('%s of a node that was never heard of', async (method) => {
    const it = await settled()
    expect(await problemOf(await it.ask(method, '/v1/nodes/n9/drain'))).toMatchObject({ status: 404 })
  })
})

test('what nobody has found cannot be acknowledged', async () => {
  const it = await settled()
  expect(await problemOf(await it.ask('POST', '/v1/services/web/acknowledge'))).toMatchObject({
    status: 409,
    code: 'nothing-to-acknowledge',
  })
})

test('operations are listed, the newest first, as many as asked for', async () => {
  const it = await settled()
  for (const to of ['n2', 'n1', 'n2']) {
    const from = to === 'n1' ? 'n2' : 'n1'
    expect((await it.ask('POST', '/v1/services/web/switchover', { to })).status).toBe(202)
    await it.cluster.report(it.said(to, 'active'), 'post')
    await it.cluster.report(it.said(from, 'backup'), 'post')
    await it.idle()
  }
  const list = async (query: string) => {
    const { operations } = (await (await it.ask('GET', `/v1/operations${query}`)).json()) as {
      operations: { to: string }[]
    }
    return operations.map(({ to }) => to)
  }
  expect(await list('')).toEqual(['n2', 'n1', 'n2'])
  expect(await list('?service=web&limit=2')).toEqual(['n2', 'n1'])
  expect(await list('?service=api')).toEqual([])
})

test('a wait ends when control stops', async () => {
  const it = await settled()
  const { operation } = (await (await it.ask('POST', '/v1/services/web/switchover')).json()) as {
    operation: { id: string }
  }
  const waiting = it.ask('GET', `/v1/operations/${operation.id}?wait=60s`)
  await it.idle()
  it.ending.abort()
  expect(await (await waiting).json()).toMatchObject({ status: 'running' })
})
