/** Variables of a deployment: what they mean, and one line for each mistake. */
import { describe, expect, test } from 'vitest'
import { routeOf } from '../../../control/worker/route.ts'
import { configVariable, readClusterConfig, readClusters } from '../../../control/worker/settings.ts'

describe('clusters', () => {
  test('without a word there is one', () => {
    expect(readClusters({})).toEqual({ names: new Set(['default']), hosts: {} })
  })

  test('are given as JSON text, or as wrangler.toml gives a list', () => {
    expect(readClusters({ HOLDFAST_CLUSTERS: '["a","b"]' }).names).toEqual(new Set(['a', 'b']))
    expect(readClusters({ HOLDFAST_CLUSTERS: ['a'], HOLDFAST_HOSTS: { 'x.example': 'a' } }).hosts).toEqual({
      'x.example': 'a',
    })
  })

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'not JSON',
      { HOLDFAST_CLUSTERS: 'prod' },
      /^HOLDFAST_CLUSTERS: is not JSON: write it like \["default", "prod"\]$/,
    ],
    ['no list', { HOLDFAST_CLUSTERS: '"prod"' }, /^HOLDFAST_CLUSTERS: .*expected array/],
    ['no name', { HOLDFAST_CLUSTERS: ['-'] }, /^HOLDFAST_CLUSTERS\.0: a name is 1 to 63/],
    ['no host', { HOLDFAST_HOSTS: { 'A.example': 'default' } }, /^HOLDFAST_HOSTS\.A\.example: /],
    ['a cluster that is not there', { HOLDFAST_HOSTS: { 'x.example': 'prod' } }, /add prod to HOLDFAST_CLUSTERS$/],
  ])('%s', (_, variables, said) => {
    expect(() => readClusters(variables)).toThrow(said)
  })

  test('a path beats a host, and neither makes a cluster', () => {
    const clusters = readClusters({ HOLDFAST_CLUSTERS: ['default', 'prod'], HOLDFAST_HOSTS: { 'p.example': 'prod' } })
    const route = (url: string) => routeOf(new URL(url), clusters)
    expect(route('https://p.example/v1/x')).toEqual({ kind: 'cluster', name: 'prod', prefix: '', path: '/v1/x' })
    expect(route('https://p.example/clusters/default/v1')).toEqual({
      kind: 'cluster',
      name: 'default',
      prefix: '/clusters/default',
      path: '/v1',
    })
    expect(route('https://q.example/clusters/prod')).toEqual({
      kind: 'cluster',
      name: 'prod',
      prefix: '/clusters/prod',
      path: '/',
    })
    expect(route('https://q.example/clustersprod/x')).toEqual({
      kind: 'cluster',
      name: 'default',
      prefix: '',
      path: '/clustersprod/x',
    })
    expect(route('https://q.example/clusters/toString/x')).toEqual({ kind: 'unknown', name: 'toString' })
  })
})

describe('the configuration of a cluster', () => {
  test('each has its own variable', () => {
    expect(['default', 'prod', 'eu-1.b'].map(configVariable)).toEqual([
      'HOLDFAST_CONFIG',
      'HOLDFAST_CONFIG_PROD',
      'HOLDFAST_CONFIG_EU_1_B',
    ])
  })

  test('is YAML in which secrets are named, and not shown', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what configuration files write for a variable.
    const text = 'tokens: [{ name: n1, role: node, node: n1, token: "${N1}" }]'
    const config = readClusterConfig({ HOLDFAST_CONFIG: text, N1: 'secret', HOLDFAST_ADMIN_TOKEN: 'root' }, 'default')
    expect(config.tokens).toEqual([
      { name: 'n1', role: 'node', node: 'n1', token: 'secret' },
      { name: 'admin', role: 'admin', node: null, token: 'root' },
    ])
    expect(() => readClusterConfig({ HOLDFAST_CONFIG: text }, 'default')).toThrow(/HOLDFAST_CONFIG:1: tokens.*N1/)
  })

  test.each(['listen: 127.0.0.1:80', 'database: /x', 'tls: {certificate: a, key: b}'])('%s is refused', (text) => {
    const key = text.split(':')[0]
    expect(() => readClusterConfig({ HOLDFAST_CONFIG_A: text }, 'a')).toThrow(
      new RegExp(`^HOLDFAST_CONFIG_A:1: ${key}: is not a known key`),
    )
  })

  test('a token that takes the administrator’s name is refused', () => {
    const text = 'tokens: [{ name: admin, role: viewer, token: x }]'
    const variables = { HOLDFAST_CONFIG: text, HOLDFAST_ADMIN_TOKEN: 'root' }
    expect(() => readClusterConfig(variables, 'default')).toThrow(/the name admin is that of HOLDFAST_ADMIN_TOKEN/)
  })
})
