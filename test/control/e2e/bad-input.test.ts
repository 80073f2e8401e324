/** What does not fit is refused whole, with the right status and a problem document, and leaves no trace. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { EventRecord } from '../../../control/store/store.ts'
import {
  type Answer,
  type ControlProcess,
  createFolder,
  nodeToken,
  startControl,
  viewerToken,
  writeControlConfig,
} from '../../support/control-process.ts'
import { createAgent, type ScriptedAgent } from '../../support/scripted-agent.ts'

const folder = createFolder()
let control: ControlProcess
let n1: ScriptedAgent
let sequence = 100
let before: unknown

const service = { bindings: [{ name: 'dry', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }] }

beforeAll(async () => {
  const configFile = writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: ['n1', 'n2'],
    services: { web: service, api: service },
  })
  control = await startControl(configFile)
  n1 = createAgent({ node: 'n1', service: 'web', priority: 200 })
  await n1.connect(control.url)
  n1.say('active')
  await control.until('web', { phase: 'settled', owner: { node: 'n1' } })
  const posted = await control.call('POST', '/v1/nodes/n2/report', { body: good(), token: nodeToken('n2') })
  expect(posted).toMatchObject({ status: 200, body: { commands: [] } })
}, 60_000)

afterAll(async () => {
  control.signal('SIGTERM')
  expect(await control.ended).toBe(0)
  folder.remove()
})

beforeEach(async () => {
  before ??= await everything()
})

const said = { state: 'backup', priority: 100, healthy: true, since: '2026-11-22T09:00:00Z' }

/** A report of n2 that would be taken. */
function good(more: object = {}): Record<string, unknown> {
  sequence += 1
  return { node: 'n2', site: 'dc1', incarnation: 'n2-incarnation', sequence, services: { web: said }, ...more }
}

/** All that control knows, but for the times of n1's heartbeats and trials, and the lines that say who was refused. */
async function everything(): Promise<unknown> {
  const [services, nodes, { body }] = await Promise.all([
    control.call('GET', '/v1/services'),
    control.call('GET', '/v1/nodes'),
    control.call('GET', '/v1/events?limit=1000'),
  ])
  const { events } = body as { events: EventRecord[] }
  const answers = [services, nodes, events.filter(({ kind }) => kind !== 'call')]
  const text = JSON.stringify(answers).replace(
    /"lastReport":"[^"]*"|"fresh":\w+|"preflight":(null|\{[^}]*\})/g,
    '"heard":0',
  )
  return JSON.parse(text)
}

function expectProblem({ status, type, body }: Answer, expected: { status: number; code: string; said: RegExp }): void {
  expect({ status, type }).toEqual({ status: expected.status, type: 'application/problem+json' })
  expect(body).toMatchObject({
    type: 'about:blank',
    title: expect.stringMatching(/^[A-Z]/),
    status: expected.status,
    code: expected.code,
    detail: expect.stringMatching(expected.said),
    instance: expect.stringMatching(/^\//),
    requestId: expect.stringMatching(/^[\w-]{36}$/),
  })
}

const active = { ...said, state: 'active', priority: 255 }

describe('a posted report', () => {
  test.each([
    { name: 'is not JSON', body: '{"node": "n2",', said: /^body: is not valid JSON$/ },
    { name: 'is a list', body: '[]', said: /^body: / },
    { name: 'lacks its node', body: good({ node: undefined }), said: /^body\.node: / },
    { name: 'has a sequence below 0', body: good({ sequence: -1 }), said: /^body\.sequence: / },
    { name: 'has a sequence that no number holds', body: good({ sequence: 2 ** 60 }), said: /^body\.sequence: / },
    { name: 'has an unknown field', body: good({ master: true }), said: /^body\.master: / },
    {
      name: 'has a state there is not',
      body: good({ services: { web: { ...said, state: 'master' } } }),
      said: /web\.state/,
    },
    {
      name: 'is right about one service and wrong about another',
      body: good({ services: { web: active, api: { ...said, priority: 'high' } } }),
      said: /^body\.services\.api\.priority: /,
    },
    { name: 'names a service that is no name', body: good({ services: { _web: active } }), said: /_web/ },
    { name: 'answers too much', body: good({ answers: Array(65).fill('id') }), said: /^body\.answers: / },
    {
      name: 'is of another node than its path',
      body: good({ node: 'n1', services: { web: active } }),
      said: /^body\.node: /,
    },
  ])('that $name', async ({ body, said }) => {
    const answer = await control.call('POST', '/v1/nodes/n2/report', { body, token: nodeToken('n2') })
    expectProblem(answer, { status: 400, code: 'invalid', said })
    expect(await everything()).toEqual(before)
  })

  test.each([
    { name: 'no token', node: 'n2', token: null, status: 401, code: 'unauthorized' },
    { name: 'an unknown token', node: 'n2', token: 'nonsense', status: 401, code: 'unauthorized' },
    { name: 'another node’s token', node: 'n2', token: nodeToken('n1'), status: 403, code: 'forbidden' },
    { name: 'a viewer’s token', node: 'n2', token: viewerToken, status: 403, code: 'forbidden' },
    { name: 'a token, for a node there is not', node: 'n9', token: nodeToken('n2'), status: 403, code: 'forbidden' },
  ])('with $name', async ({ node, token, status, code }) => {
    const body = good({ node, services: { web: active } })
    expectProblem(await control.call('POST', `/v1/nodes/${node}/report`, { body, token }), { status, code, said: /./ })
    expect(await everything()).toEqual(before)
  })

  test('that is too large, or no JSON by its own account', async () => {
    const huge = good({ services: { web: { ...active, since: 'x'.repeat(300_000) } } })
    const path = '/v1/nodes/n2/report'
    const answer = await control.call('POST', path, { body: huge, token: nodeToken('n2') })
    expectProblem(answer, { status: 413, code: 'too-large', said: /262144 bytes at most/ })
    // A client that keeps connections must not send its next request after a body that was not read.
    for (let i = 0; i < 20; i++) expect((await control.call('GET', '/v1/services')).status).toBe(200)
    const headers = { authorization: `Bearer ${nodeToken('n2')}`, 'content-type': 'text/plain' }
    const text = await fetch(`${control.url}${path}`, { method: 'POST', headers, body: JSON.stringify(good()) })
    const given = { status: text.status, type: text.headers.get('content-type')!, body: await text.json() }
    expectProblem(given, { status: 415, code: 'unsupported-media-type', said: /application\/json, not text\/plain/ })
    expect(await everything()).toEqual(before)
  })
})

describe('a request', () => {
  test.each([
    {
      call: 'POST /v1/services/web/switchover',
      body: '{',
      status: 400,
      code: 'invalid',
      said: /^body: is not valid JSON/,
    },
    { call: 'POST /v1/services/web/switchover', body: { to: 7 }, status: 400, code: 'invalid', said: /^body\.to: / },
    {
      call: 'POST /v1/services/web/switchover',
      body: { too: 'n2' },
      status: 400,
      code: 'invalid',
      said: /^body\.too: /,
    },
    {
      call: 'POST /v1/services/web/switchover',
      body: { reason: '' },
      status: 400,
      code: 'invalid',
      said: /^body\.reason: /,
    },
    {
      call: 'POST /v1/services/web/switchover',
      body: { to: 'n9' },
      status: 409,
      code: 'unknown-node',
      said: /^n9 has never/,
    },
    {
      call: 'POST /v1/services/web/switchover',
      body: { to: 'constructor' },
      status: 409,
      code: 'unknown-node',
      said: /^constructor has never reported web$/,
    },
    {
      call: 'POST /v1/services/nowhere/switchover',
      body: {},
      status: 404,
      code: 'not-found',
      said: /no service nowhere/,
    },
    { call: 'GET /v1/services/nowhere', status: 404, code: 'not-found', said: /no service nowhere/ },
    { call: 'GET /v1/services/-web', status: 400, code: 'invalid', said: /^path\.service: a name is/ },
    { call: 'GET /v1/services/web/owner', status: 400, code: 'invalid', said: /^query\.node: / },
    { call: 'GET /v1/services/web/owner?node=n2', status: 503, code: 'not-owner', said: /^n2 does not own web/ },
    { call: 'GET /v1/services/web/owner?node=constructor', status: 503, code: 'not-owner', said: /does not own/ },
    { call: 'GET /v1/operations/op-none', status: 404, code: 'not-found', said: /no operation op-none/ },
    { call: 'GET /v1/operations/op-none?wait=5', status: 400, code: 'invalid', said: /^query\.wait: / },
    { call: 'GET /v1/operations/op-none?wait=5m', status: 400, code: 'invalid', said: /^query\.wait: / },
    { call: 'GET /v1/events?since=-1', status: 400, code: 'invalid', said: /^query\.since: / },
    { call: 'GET /v1/events?limit=5000', status: 400, code: 'invalid', said: /^query\.limit: / },
    { call: 'GET /v1/agent', token: nodeToken('n2'), status: 426, code: 'upgrade-required', said: /WebSocket/ },
    { call: 'DELETE /v1/nodes', status: 405, code: 'method-not-allowed', said: /takes GET, not DELETE/ },
    { call: 'GET /v2/services', status: 404, code: 'not-found', said: /nothing at \/v2\/services/ },
  ])('$call $body', async ({ call, body, token, ...expected }) => {
    const [method, path] = call.split(' ') as [string, string]
    const options = { ...(body === undefined ? {} : { body }), ...(token === undefined ? {} : { token }) }
    expectProblem(await control.call(method, path, options), expected)
    expect(await everything()).toEqual(before)
  })

  test('that is no HTTP at all', async () => {
    const { hostname, port } = new URL(control.url)
    const socket = connect(Number(port), hostname)
    socket.end('SYNERGY /v1/services\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /)
    expect(await everything()).toEqual(before)
  })
})

describe('a link', () => {
  test.each([
    { name: 'no JSON', message: 'active!', code: 1008 },
    { name: 'bytes', message: Buffer.from(JSON.stringify(good({ services: { web: active } }))), code: 1008 },
    {
      name: 'a report that is right about one service and wrong about another',
      message: JSON.stringify(good({ services: { web: active, api: {} } })),
      code: 1008,
    },
    {
      name: 'a report of another node',
      message: JSON.stringify(good({ node: 'n1', services: { web: said } })),
      code: 1008,
    },
    { name: 'more than 256 KiB', message: ' '.repeat(300_000), code: 1009 },
  ])('that brings $name is ended', async ({ message, code }) => {
    const headers = { authorization: `Bearer ${nodeToken('n2')}` }
    const socket = new WebSocket(`${control.url.replace('http', 'ws')}/v1/agent`, { headers })
    socket.on('error', () => undefined)
    await once(socket, 'open')
    socket.send(message)
    // What follows in the same breath is not heard either.
    socket.send(JSON.stringify(good({ services: { web: active } })))
    expect((await once(socket, 'close'))[0]).toBe(code)
    const services = (await everything()) as [{ body: object }]
    expect(services[0]).toEqual((before as [object])[0])
  })
})

test('after all that, a good report is taken as ever, and nothing was logged as a failure of control', async () => {
  n1.say('backup')
  const body = good({ services: { web: { ...active, priority: 100 } } })
  const answer = await control.call('POST', '/v1/nodes/n2/report', { body, token: nodeToken('n2') })
  expect(answer).toMatchObject({ status: 200, body: { commands: [] } })
  await control.until('web', { phase: 'settled', owner: { node: 'n2', epoch: 2 } })
  const late = { ...good(), incarnation: 'n2-another-one' }
  expect((await control.call('POST', '/v1/nodes/n2/report', { body: late, token: nodeToken('n2') })).status).toBe(200)
  const former = await control.call('POST', '/v1/nodes/n2/report', { body: good(), token: nodeToken('n2') })
  expectProblem(former, { status: 409, code: 'former-incarnation', said: /^n2 has restarted since/ })
  expect(control.output()).not.toMatch(/"level":"error"|request-failed/)
})
