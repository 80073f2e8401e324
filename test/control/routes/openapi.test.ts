/** The OpenAPI document and its page: complete, true, and readable where there is no way out. */
import { describe, expect, test } from 'vitest'
import { createWorld } from '../world.ts'

type Operation = {
  summary?: string
  operationId: string
  tags: string[]
  security?: object[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { description: string; content?: Record<string, { schema?: object }> }>
}
type Document = {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; securitySchemes: object }
}

async function load() {
  const it = await createWorld()
  const document = (await (await it.call('GET', '/openapi.json', null)).json()) as Document
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  return { ...it, document, operations }
}

test('it names every call of the API, and no other', async () => {
  const { app, operations } = await load()
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/v1/') && path !== '/v1/agent')
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  const named = operations.map(({ method, path }) => `${method} ${path}`)
  expect(named.toSorted()).toEqual([...new Set(routes)].toSorted())
})

test('every call says what it does, who may, and what can go wrong', async () => {
  const { operations, document } = await load()
  expect(document.openapi).toBe('3.1.0')
  expect(document.components.securitySchemes).toMatchObject({ bearer: { type: 'http', scheme: 'bearer' } })
  for (const { path, method, operation } of operations) {
    const name = `${method} ${path}`
    expect(operation.summary, name).toMatch(/\w/)
    expect(operation.security, name).toEqual([{ bearer: [] }])
    expect(operation.tags, name).toHaveLength(1)
    expect(Object.keys(operation.responses), name).toEqual(expect.arrayContaining(['401', '403', '429', '503']))
    for (const [status, { description, content }] of Object.entries(operation.responses)) {
      expect(description, `${name} ${status}`).toMatch(/\w/)
      if (Number(status) < 400) continue
      expect(content, `${name} ${status}`).toEqual({
        'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
      })
    }
  }
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
})

test('every reference leads somewhere', async () => {
  const { document } = await load()
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)
  const names = [...new Set([...references].map(([, name]) => name!))]
  expect(names).toContain('Service')
  // One that may be null is so where it is used, and not wherever it is.
  expect(Object.values(document.components.schemas).map((schema) => (schema as { type: unknown }).type)).toEqual(
    names.map(() => 'object'),
  )
  expect(names.filter((name) => document.components.schemas[name] === undefined)).toEqual([])
})

test('a declared service is described by the schema that checks it', async () => {
  const { document } = await load()
  const { schema } = document.paths['/v1/services/{service}']!.put!.requestBody!.content['application/json']!
  expect(schema).toMatchObject({
    type: 'object',
    additionalProperties: false,
    properties: { sites: { type: 'array' }, higherEpoch: { enum: ['stop', 'adopt'] }, bindings: { type: 'array' } },
  })
})

describe('the page', () => {
  test('shows every call and schema, and loads nothing from anywhere', async () => {
    const { call, operations, document } = await load()
    const response = await call('GET', '/docs', null)
    expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; style-src 'unsafe-inline'")
    const page = await response.text()
    for (const { operation } of operations) expect(page).toContain(`<section id="${operation.operationId}">`)
    for (const name of Object.keys(document.components.schemas)) expect(page).toContain(`id="schema-${name}"`)
    expect(page).not.toMatch(/<script|<link|<img|src=|url\(|href="(?![#/])/)
    // Every link leads to a place on the page, or to the document.
    const targets = [...page.matchAll(/href="#([^"]+)"/g)].map(([, target]) => target!)
    expect(targets.filter((target) => !page.includes(`id="${target}"`))).toEqual([])
    expect(page).not.toContain('undefined')
    expect(page).not.toContain('[object')
  })
})
