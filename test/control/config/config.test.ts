/** Control's configuration: the design's example is accepted, and each mistake is named with its line and remedy. */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what the reader expands.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { readControlConfig } from '../../../control/config/config.ts'
import { ConfigError, describeProblem } from '../../../control/config/config-file.ts'
import { type AnyAdapterSchema, serviceDefaults } from '../../../control/config/service-config.ts'

const adapters: readonly AnyAdapterSchema[] = [
  {
    name: 'blind',
    config: z.strictObject({}),
    target: z.strictObject({}),
    check: ({ drift }) =>
      drift === 'reassert' ? null : { path: ['drift'], message: `cannot be ${drift} here`, hint: 'leave drift out' },
  },
  { name: 'memory', config: z.strictObject({}), target: z.strictObject({}) },
  {
    name: 'aws-eip',
    config: z.strictObject({
      region: z.string(),
      allocationId: z.string().regex(/^eipalloc-/, 'must begin with eipalloc-'),
    }),
    target: z.strictObject({ networkInterfaceId: z.string(), privateIpAddress: z.ipv4() }),
  },
]
const environment = { OPS: 'operator-token', N1: 'node-token-1', EMPTY: '' }
const read = (text: string) => readControlConfig({ file: 'c.yaml', text, environment, adapters })

function problems(text: string): string[] {
  try {
    read(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describeProblem)
    throw error
  }
  return []
}

test('a whole configuration', () => {
  const text = `
listen: "[::1]:8080"
database: /tmp/a.db
ownerProbe: public
tokens:
  - {name: ops, role: operator, token: "\${OPS}"}
  - {name: n1, role: node, node: n1, token: "\${N1}"}
services:
  web:
    confirm: 36.5ms
    bindings:
      - name: eip
        adapter: aws-eip
        config: {region: eu-west-1, allocationId: eipalloc-1}
        drift: reassert
        targets:
          n1: {networkInterfaceId: eni-1, privateIpAddress: 10.0.0.11}
  bare: {}
`
  expect(read(text)).toEqual({
    listen: { host: '::1', port: 8080 },
    database: '/tmp/a.db',
    adapters: [],
    ownerProbe: 'public',
    tokens: [
      { name: 'ops', role: 'operator', node: null, token: 'operator-token' },
      { name: 'n1', role: 'node', node: 'n1', token: 'node-token-1' },
    ],
    services: {
      web: {
        ...serviceDefaults,
        confirmMs: 36.5,
        nodes: ['n1'],
        bindings: [
          {
            name: 'eip',
            adapter: 'aws-eip',
            drift: 'reassert',
            after: [],
            config: { region: 'eu-west-1', allocationId: 'eipalloc-1' },
            targets: { n1: { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.11' } },
          },
        ],
      },
      bare: serviceDefaults,
    },
    tls: null,
    retention: { ageMs: 90 * 24 * 3_600_000, events: 100_000, operations: 10_000 },
    rateLimit: { perSecond: 100, burst: 500 },
    trace: null,
  })
})

const dry = '{name: a, adapter: memory, config: {}, targets: {n1: {}}}'
const eni = '{networkInterfaceId: e, privateIpAddress: 10.0.0.1}'
const shortEni = '{networkInterfaceId: e, privateIpAddress: 10.0.0}'
const web = (binding: string): string => `services:\n  web:\n    bindings:\n      - ${binding}\n`
const token = (fields: string): string => `tokens:\n  - {${fields}}\n`

test.each<{ name: string; text: string; says: RegExp }>([
  {
    name: 'drift: ignore',
    text: web('{name: a, adapter: memory, config: {}, drift: ignore, targets: {n1: {}}}'),
    says: /drift: must be one of reassert, alert, freeze; got "ignore"/,
  },
  {
    name: 'a binding that its adapter refuses as a whole',
    text: web('{name: a, adapter: blind, config: {}, drift: freeze, targets: {n1: {}}}'),
    says: /^c\.yaml:4: services\.web\.bindings\[0\]\.drift: cannot be freeze here \(leave drift out\)$/,
  },
  {
    name: 'after: a binding that is not there',
    text: web('{name: a, adapter: memory, config: {}, after: [b], targets: {n1: {}}}'),
    says: /bindings\[0\]\.after\[0\]: no binding here is called b/,
  },
  {
    name: 'after: itself',
    text: web('{name: a, adapter: memory, config: {}, after: [a], targets: {n1: {}}}'),
    says: /bindings\[0\]\.after\[0\]: a comes after a already/,
  },
  {
    name: 'a port that is none',
    text: 'listen: 127.0.0.1:70000',
    says: /listen: must be an address and a port \(write 127\.0\.0\.1:8080 or \[::1\]:8080/,
  },
  { name: 'a listen without a port', text: 'listen: localhost', says: /listen: must be an address and a port/ },
  {
    name: 'an unknown role',
    text: token('name: a, role: root, token: "12345678"'),
    says: /tokens\[0\]\.role: must be one of admin, operator, viewer, node; got "root"/,
  },
  {
    name: 'a node token without its node',
    text: token('name: a, role: node, token: "12345678"'),
    says: /tokens\[0\]\.node: is required with the role node/,
  },
  {
    name: 'a node on another role',
    text: token('name: a, role: viewer, node: n1, token: "12345678"'),
    says: /tokens\[0\]\.node: only goes with the role node/,
  },
  {
    name: 'an empty token',
    text: token('name: a, role: viewer, token: "${EMPTY}"'),
    says: /tokens\[0\]\.token: must be at least 1 characters? long; got a value from the environment$/,
  },
  {
    name: 'a name twice',
    text: 'tokens:\n  - {name: a, role: viewer, token: "12345678"}\n  - {name: a, role: viewer, token: "87654321"}',
    says: /^c\.yaml:3: tokens\[1\]\.name: is already the name of tokens\[0\]/,
  },
  {
    name: 'a token twice',
    text: 'tokens:\n  - {name: a, role: viewer, token: "12345678"}\n  - {name: b, role: viewer, token: "12345678"}',
    says: /^c\.yaml:3: tokens\[1\]\.token: is the same as that of tokens\[0\]/,
  },
  {
    name: 'an unknown adapter',
    text: web('{name: a, adapter: aws-epi, config: {}, targets: {}}'),
    says: /^c\.yaml:4: services\.web\.bindings\[0\]\.adapter: must be one of blind, memory, aws-eip;.*"aws-epi" \(did you mean aws-eip\?\)/,
  },
  {
    name: 'a key that its adapter does not have',
    text: web(
      `{name: a, adapter: aws-eip, config: {regoin: x, region: x, allocationId: eipalloc-1}, targets: {n1: ${eni}}}`,
    ),
    says: /config\.regoin: is not a known key \(did you mean region\?\)/,
  },
  {
    name: 'a target that its adapter refuses',
    text: web(`{name: a, adapter: aws-eip, config: {region: x, allocationId: eipalloc-1}, targets: {n1: ${shortEni}}}`),
    says: /targets\.n1\.privateIpAddress: must be an IPv4 address; got "10\.0\.0"/,
  },
  {
    name: 'no targets',
    text: web('{name: a, adapter: memory, config: {}, targets: {}}'),
    says: /targets: must name at least one node and its target/,
  },
  {
    name: 'a binding’s name twice',
    text: `${web(dry)}      - ${dry}`,
    says: /^c\.yaml:5: services\.web\.bindings\[1\]\.name: is already the name of bindings\[0\]/,
  },
  { name: 'a service’s name', text: 'services:\n  -web-: {}', says: /^c\.yaml:2: services\.-web-: a name is 1 to 63/ },
  {
    name: 'confirm without a unit',
    text: 'services: {web: {confirm: 150}}',
    says: /services\.web\.confirm: needs a unit \(write 150ms/,
  },
])('$name', ({ text, says }) => {
  expect(problems(text)).toEqual([expect.stringMatching(says)])
})
