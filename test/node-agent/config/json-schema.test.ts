/** The JSON Schema that editors use is the one of the code: what it says of a file is what the agent says of its form. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { agentJsonSchema } from '../../../infra/docs/agent-schema.ts'

const written = readFileSync(join(import.meta.dirname, '../../../infra/schema/agent.schema.json'), 'utf8')

test('it is written anew after a change: npm run docs:schema', () => expect(written).toBe(agentJsonSchema()))

test('it takes what the agent takes, and names neither refused keys nor values', () => {
  const schema = z.fromJSONSchema(JSON.parse(written))
  const web = { interface: 'eth0', vrid: 51, addresses: ['10.77.0.50/24'], interval: '100ms', version: 2 }
  const good = { ...web, authentication: { type: 'pass', password: 'x' }, unicast: { peers: ['10.77.0.2'] } }
  expect(schema.safeParse({ services: { web: good, api: { mode: 'solo' } } }).success).toBe(true)
  for (const bad of [
    { ...web, vrid: 0 },
    { ...web, interval: '1 day' },
    { ...web, authentication: { type: 'ah', password: 'x' } },
    { ...web, vird: 51 },
  ])
    expect(schema.safeParse({ services: { web: bad } }).success, JSON.stringify(bad)).toBe(false)
  expect(schema.safeParse({ services: { web }, groups: {} }).success).toBe(false)
  expect(written).not.toMatch(/refused|secret|the-host/)
})
