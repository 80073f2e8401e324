/** A control with very many services: lists come in pages or as a whole, and nobody waits for one that is long. */
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { expect, test } from 'vitest'
import { serviceDefaults } from '../../../control/config/service-config.ts'
import { createWorld } from '../world.ts'

const names = (count: number) => Array.from({ length: count }, (_, i) => `service-${String(i).padStart(5, '0')}`)
const services = (count: number) =>
  Object.fromEntries(
    names(count)
      .toReversed()
      .map((name) => [name, { ...serviceDefaults, nodes: ['n1'] }]),
  )

type Page = { services: { service: string }[]; next: string | null }

test.each([1, 7, 100, 250, 251])('pages of %i put together are the whole, by name', async (limit) => {
  const it = await createWorld({ services: services(250) })
  const list = async (query: string) =>
    (await (await it.call('GET', `/v1/services${query}`, 'viewer-token')).json()) as Page
  const whole = await list('')
  expect(whole.next).toBe(null)
  expect(whole.services.map(({ service }) => service)).toEqual(names(250))
  const together: Page['services'] = []
  let after: string | null = ''
  while (after !== null) {
    const page: Page = await list(`?limit=${limit}${after === '' ? '' : `&after=${after}`}`)
    together.push(...page.services)
    after = page.next
  }
  expect(together).toEqual(whole.services)
})

test('no services are an empty list', async () => {
  const it = await createWorld({ services: {} })
  expect(await (await it.call('GET', '/v1/services', 'viewer-token')).json()).toEqual({ services: [], next: null })
})

test('somebody who reads a list of ten thousand slowly keeps nobody waiting, and gets it whole', async () => {
  const it = await createWorld({ services: services(10_000) })
  const server = serve({ fetch: it.app.fetch, hostname: '127.0.0.1', port: 0 })
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const headers = { authorization: 'Bearer viewer-token' }
  const reader = (await fetch(`${url}/v1/services`, { headers })).body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = (await reader.read()).value ?? ''
  for (let i = 0; i < 20; i++) expect((await fetch(`${url}/healthz`)).status).toBe(200)
  expect(text).not.toContain('"next":')
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += piece.value
  expect((JSON.parse(text) as Page).services.map(({ service }) => service)).toEqual(names(10_000))
  server.close()
})
