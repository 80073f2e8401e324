// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are about such placeholders.
/** Declaring services over the API: what is taken, what is refused and in which words, and who wins a race. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { memorySchema } from '../../../adapters/memory.ts'
import { readControlConfig } from '../../../control/config/config.ts'
import { ConfigError } from '../../../control/config/config-file.ts'
import type { AnyAdapterSchema } from '../../../control/config/service-config.ts'
import { declarationsOfFile, declareStored, readDeclaration } from '../../../control/core/declarations.ts'
import { problemOf } from '../../support/problems.ts'
import { createWorld } from '../world.ts'

const declaration = { bindings: [{ name: 'eip', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }] }
const reordered = { bindings: [{ targets: { n2: {}, n1: {} }, config: {}, adapter: 'memory', name: 'eip' }] }

async function world() {
  const it = await createWorld()
  it.cluster.start()
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const all = {
      authorization: 'Bearer admin-token',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const text = body === undefined ? null : JSON.stringify(body)
    return Promise.resolve(it.app.request(path, { method, headers: { ...all, ...headers }, body: text }))
  }
  return { ...it, ask }
}

describe('a declared service', () => {
  test('is there at once, under its ETag, and is looked after like any other', async () => {
    const it = await world()
    const put = await it.ask('PUT', '/v1/services/api', declaration)
    expect(put.status).toBe(201)
    expect(put.headers.get('location')).toBe('/v1/services/api')
    const expected = { service: 'api', version: 1, origin: 'api', declaration }
    expect(await put.json()).toEqual({ ...expected, outcome: 'created' })
    const etag = put.headers.get('etag')
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/)
    const read = await it.ask('GET', '/v1/services/api/declaration')
    expect([read.headers.get('etag'), await read.json()]).toEqual([etag, expected])
    expect((await it.ask('GET', '/v1/services/api')).headers.get('etag')).toBe(etag)

    const services = {
      api: { state: 'active', priority: 200, healthy: true, since: '2026-11-22T08:00:00.000Z' },
    } as const
    await it.cluster.report(it.said('n1', 'active', { services }), 'post')
    await it.idle()
    expect(it.cluster.service('api')).toMatchObject({ phase: 'settled', owner: { node: 'n1', epoch: 1 } })
  })

  test('put again the same, however its keys are ordered, is the same version', async () => {
    const it = await world()
    await it.ask('PUT', '/v1/services/api', declaration)
    const again = await it.ask('PUT', '/v1/services/api', reordered)
    expect([again.status, await again.json()]).toMatchObject([200, { version: 1, outcome: 'unchanged' }])
    const changed = await it.ask('PUT', '/v1/services/api', { ...declaration, confirm: '200ms' })
    expect([changed.status, await changed.json()]).toMatchObject([200, { version: 2, outcome: 'replaced' }])
    expect(it.cluster.declared('api')?.config.confirmMs).toBe(200)
  })

  test('as a dry run changes nothing', async () => {
    const it = await world()
    const dry = await it.ask('PUT', '/v1/services/api?dryRun=true', declaration)
    expect([dry.status, await dry.json()]).toMatchObject([200, { version: 1, outcome: 'created' }])
    expect((await it.ask('GET', '/v1/services/api')).status).toBe(404)
    await it.ask('PUT', '/v1/services/api', declaration)
    const other = await it.ask('PUT', '/v1/services/api?dryRun=true', { confirm: '1s' })
    expect(await other.json()).toMatchObject({ version: 2, outcome: 'replaced' })
    expect(it.cluster.declaration('api')?.version).toBe(1)
    expect((await it.ask('PUT', '/v1/services/api?dryRun=true', { confirm: 5 })).status).toBe(400)
  })

  test('is forgotten when asked to, and never counts its epochs anew', async () => {
    const it = await world()
    await it.ask('PUT', '/v1/services/api', declaration)
    const gone = await it.ask('DELETE', '/v1/services/api?reason=moved')
    expect(await gone.json()).toEqual({ service: 'api', forgotten: true })
    expect((await it.ask('GET', '/v1/services/api')).status).toBe(404)
    expect((await it.ask('DELETE', '/v1/services/api')).status).toBe(404)
    expect((await it.ask('GET', '/v1/services/api/declaration')).status).toBe(404)
    expect(it.store.load().declarations).toEqual([])
  })

  test('of the configuration file is changed there', async () => {
    const it = await world()
    for (const [method, body] of [
      ['PUT', declaration],
      ['DELETE', undefined],
    ] as const) {
      const problem = await problemOf(await it.ask(method, '/v1/services/web', body))
      expect(problem).toMatchObject({ status: 409, code: 'declared-in-file' })
    }
  })

  test('whose adapter cannot be made is refused, and nothing is stored', async () => {
    const makeAdapters = () => Promise.reject(new Error('no credentials'))
    const it = await createWorld({ app: { makeAdapters } })
    const problem = await problemOf(await it.call('PUT', '/v1/services/api', 'admin-token', declaration))
    expect(problem).toMatchObject({
      status: 409,
      code: 'adapter-failed',
      detail: expect.stringMatching(/no credentials/),
    })
    expect(it.store.load().declarations).toEqual([])
  })
})

describe('conditions', () => {
  test.each([
    { name: 'If-Match of what is there', there: true, headers: (etag: string) => ({ 'if-match': etag }), status: 200 },
    {
      name: 'If-Match among others',
      there: true,
      headers: (etag: string) => ({ 'if-match': `"x", ${etag}` }),
      status: 200,
    },
    { name: 'If-Match of something else', there: true, headers: () => ({ 'if-match': '"x"' }), status: 412 },
    { name: 'a weak If-Match', there: true, headers: (etag: string) => ({ 'if-match': `W/${etag}` }), status: 412 },
    { name: 'If-Match: * of what is there', there: true, headers: () => ({ 'if-match': '*' }), status: 200 },
    { name: 'If-Match: * of nothing', there: false, headers: () => ({ 'if-match': '*' }), status: 412 },
    { name: 'If-Match of nothing', there: false, headers: () => ({ 'if-match': '"x"' }), status: 412 },
    { name: 'If-None-Match: * of nothing', there: false, headers: () => ({ 'if-none-match': '*' }), status: 201 },
    { name: 'If-None-Match: * of what is there', there: true, headers: () => ({ 'if-none-match': '*' }), status: 412 },
    { name: 'no condition', there: true, headers: () => ({}), status: 200 },
  ])('$name', async ({ there, headers, status }) => {
    const it = await world()
    const before = there ? (await it.ask('PUT', '/v1/services/api', declaration)).headers.get('etag')! : ''
    const put = await it.ask('PUT', '/v1/services/api', { ...declaration, confirm: '1s' }, headers(before))
    expect(put.status).toBe(status)
    if (status === 412) {
      expect((await problemOf(put)).code).toBe('precondition-failed')
      expect(it.cluster.declaration('api')?.version).toBe(there ? 1 : undefined)
    }
  })

  test('of many who change the same version, one wins', async () => {
    const it = await world()
    const etag = (await it.ask('PUT', '/v1/services/api', declaration)).headers.get('etag')!
    const puts = Array.from({ length: 10 }, (_, i) =>
      it.ask('PUT', '/v1/services/api', { ...declaration, confirm: `${100 + i}ms` }, { 'if-match': etag }),
    )
    const statuses = (await Promise.all(puts)).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([200, ...new Array<number>(9).fill(412)])
    expect(it.cluster.declaration('api')?.version).toBe(2)
  })

  test('a service is not forgotten under the wrong ETag', async () => {
    const it = await world()
    const etag = (await it.ask('PUT', '/v1/services/api', declaration)).headers.get('etag')!
    expect((await it.ask('DELETE', '/v1/services/api', undefined, { 'if-match': '"x"' })).status).toBe(412)
    expect((await it.ask('DELETE', '/v1/services/api', undefined, { 'if-match': etag })).status).toBe(200)
  })
})

const secretive: AnyAdapterSchema = {
  name: 'dns',
  config: z.strictObject({ zone: z.string(), apiToken: z.string().meta({ secret: true }) }),
  target: z.strictObject({}),
}

describe('what does not fit', () => {
  test.each<{ name: string; service: Record<string, unknown>; places: string[] }>([
    { name: 'an unknown key', service: { confrim: '1s' }, places: ['confrim'] },
    { name: 'a number without a unit', service: { confirm: 150 }, places: ['confirm'] },
    {
      name: 'a list of unknown adapters',
      service: { bindings: [{ name: 'a', adapter: 'memry' }] },
      places: ['bindings[0].adapter'],
    },
    {
      name: 'two of one name',
      service: { bindings: [...declaration.bindings, ...declaration.bindings] },
      places: ['bindings[1].name'],
    },
    {
      name: 'several at once',
      service: { confirm: 'soon', sites: 'dc1', failback: 'perhaps' },
      places: ['confirm', 'sites', 'failback'],
    },
    { name: 'hosts without an origin', service: { hosts: ['a.example.com'] }, places: ['hosts'] },
  ])('$name is told in the words of the configuration file', async ({ service, places }) => {
    const it = await world()
    const problem = await problemOf(await it.ask('PUT', '/v1/services/api', service))
    expect(problem).toMatchObject({ status: 400, code: 'invalid' })
    expect(problem.errors?.map(({ place }) => place)).toEqual(places.map((place) => `body.${place}`))
    const said = fileProblems(service).map(({ key, message, hint }) => ({
      place: key.replace('services.api', 'body'),
      message: hint === undefined ? message : `${message} (${hint})`,
    }))
    expect(problem.errors).toEqual(said)
  })

  function fileProblems(service: unknown) {
    const text = JSON.stringify({ services: { api: service } }, undefined, 2)
    try {
      readControlConfig({ file: 'control.json', text, environment: {}, adapters: [memorySchema] })
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
    }
    throw new Error('the file is taken')
  }

  test.each([[['list']], ['text'], [null], [7]])('%j is no service', async (body) => {
    const it = await world()
    const problem = await problemOf(await it.ask('PUT', '/v1/services/api', body))
    expect(problem).toMatchObject({ status: 400, errors: [{ place: 'body' }] })
  })

  test('no body, and one that is not JSON', async () => {
    const it = await world()
    const headers = { authorization: 'Bearer admin-token', 'content-type': 'application/json' }
    for (const body of [null, '{']) {
      const response = await it.app.request('/v1/services/api', { method: 'PUT', headers, body })
      expect(await problemOf(response)).toMatchObject({ status: 400, detail: 'body: is not valid JSON' })
    }
  })

  test('a key of the whole service is looked for among those of a service', async () => {
    const it = await world()
    const { detail } = await problemOf(await it.ask('PUT', '/v1/services/api', { completelyDifferent: 1 }))
    expect(detail).toMatch(/^body\.completelyDifferent: is not a known key \(a service has the keys confirm, /)
  })

  test.each([
    { name: 'a variable', config: { zone: '${ZONE}', apiToken: 'x' }, key: 'bindings[0].config.zone' },
    { name: 'an escaped one', config: { zone: '$${ZONE}', apiToken: 'x' }, key: 'bindings[0].config.zone' },
    { name: 'a secret', config: { zone: 'z', apiToken: 'hush-hush' }, key: 'bindings[0].config.apiToken' },
  ])('$name would be stored in clear', ({ config, key }) => {
    const service = { bindings: [{ name: 'dns', adapter: 'dns', config, targets: { n1: {} } }] }
    let error: unknown
    try {
      readDeclaration('api', service, [secretive])
    } catch (thrown) {
      error = thrown
    }
    const problems = (error as ConfigError).problems
    expect(problems.map((problem) => problem.key)).toContain(key)
    expect((error as Error).message).not.toContain('hush-hush')
  })

  test('what is nested without end is refused before anything looks at it', () => {
    const deep = (levels: number): unknown => (levels === 0 ? {} : { x: deep(levels - 1) })
    expect(() => readDeclaration('api', deep(5_000), [memorySchema])).toThrow(/is nested too deep/)
  })
})

describe('at start', () => {
  const record = (service: string, text: string) => ({
    service,
    version: 3,
    text,
    by: 'root',
    at: '2026-11-22T00:00:00.000Z',
  })

  test('what still fits is declared; what does not, and what the file has too, is said and left out', async () => {
    const logged: { event: string; service?: unknown; msg?: unknown }[] = []
    const declared = await declareStored({
      records: [
        record('good', JSON.stringify(declaration)),
        record('newer', '{"shape":"of tomorrow"}'),
        record('torn', '{"bindings":'),
        record('both', '{}'),
      ],
      inFile: new Set(['both']),
      adapters: [memorySchema],
      makeAdapters: async () => new Map(),
      log: (_, entry) => void logged.push(entry),
    })
    expect([...declared.keys()]).toEqual(['good'])
    expect(declared.get('good')?.origin).toBe('api')
    expect(logged.map(({ event, service }) => [event, service])).toEqual([
      ['declaration-skipped', 'newer'],
      ['declaration-skipped', 'torn'],
      ['declaration-skipped', 'both'],
    ])
    expect(logged[0]?.msg).toMatch(/shape: is not a known key/)
    expect(logged[2]?.msg).toMatch(/the configuration file as well, which wins/)
  })

  test('one that was left out is shown and can be forgotten', async () => {
    const { store } = await world()
    await store.write({ declaration: { service: 'old', record: record('old', '{"shape":"of yesterday"}') } })
    const it = await createWorld({ store })
    it.cluster.start()
    const ask = (method: string, path: string) => it.call(method, path, 'admin-token')
    expect((await ask('GET', '/v1/services/old')).status).toBe(404)
    expect(await (await ask('GET', '/v1/services/old/declaration')).json()).toMatchObject({ version: 3 })
    expect((await ask('DELETE', '/v1/services/old')).status).toBe(200)
    expect((await ask('DELETE', '/v1/services/old')).status).toBe(404)
    expect(store.load().declarations).toEqual([])
  })

  test('a file’s services are shown as they stand there, without what is secret', () => {
    const text = `
tokens: [{name: a, role: admin, token: "hush-hush"}]
services:
  web:
    confirm: 200ms
    bindings:
      - {name: a, adapter: dns, config: {zone: "\${ZONE}", apiToken: "\${DNS_TOKEN}"}, targets: {n1: {}}}
      - {name: b, adapter: dns, config: {zone: z, apiToken: hush-hush}, targets: {n1: {}}}
`
    const shown = declarationsOfFile(text, [secretive])
    expect(shown).toMatchObject({
      web: {
        confirm: '200ms',
        bindings: [
          { config: { zone: '${ZONE}', apiToken: '${DNS_TOKEN}' } },
          { config: { zone: 'z', apiToken: '(secret)' } },
        ],
      },
    })
    expect(JSON.stringify(shown)).not.toContain('hush-hush')
    expect(declarationsOfFile('listen: 127.0.0.1:0', [secretive])).toEqual({})
  })
})
