import { join } from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { offline } from './infra/worker/wrangler.ts'

Object.assign(process.env, offline)

const inRoot = (name: string): string => join(import.meta.dirname, name)

/** What holds on every runtime; `worker` runs these as well. */
const onEveryRuntime = [
  'test/control/{app,decide,drift,plan,reconcile,scenarios,access/roles,core/administration,core/cluster,core/sleep}.test.ts',
  'test/control/rules/*.test.ts',
]

const sdks = [
  '@aws-sdk/client-ec2',
  '@aws-sdk/client-route-53',
  'cloudflare/resources/accounts/tokens/tokens',
  'cloudflare/resources/dns/records',
  'cloudflare/resources/load-balancers/load-balancers',
  'cloudflare/resources/load-balancers/pools',
  'cloudflare/resources/user/tokens/tokens',
  'cloudflare/resources/zones/zones',
  'cloudflare/tree-shakable',
]

/** What a deployment would have in its variables and secrets. */
const variablesUnderTest = {
  HOLDFAST_CLUSTERS: '["default", "prod", "broken"]',
  HOLDFAST_HOSTS: '{"prod.example.com": "prod"}',
  HOLDFAST_ADMIN_TOKEN: 'admin-token',
  NODE_TOKEN: 'node-token-1',
  HOLDFAST_CONFIG: JSON.stringify({
    retention: { age: '87600h', events: 100 },
    services: { web: { bindings: [{ name: 'eip', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }] } },
    tokens: [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what configuration files write for a variable.
      { name: 'n1', role: 'node', node: 'n1', token: '${NODE_TOKEN}' },
      { name: 'n2', role: 'node', node: 'n2', token: 'node-token-2' },
    ],
  }),
  HOLDFAST_CONFIG_BROKEN: 'ownerProbe: nobody',
}

/** Lab tests that mostly wait, or take times with much room, so that several may run at once. */
const patientLab = [
  'test/lab/{agent-accept,agent-asleep,agent-checks,agent-errors,holding,lab,linux-io,macvlan,worker}.test.ts',
  'test/lab/{conformance-*,interop-*,virtual-mac,virtual-mac-owner}.test.ts',
]

/**
 * Four projects: `unit` runs anywhere in seconds; `worker` runs in workerd, and what holds on every runtime runs there
 * too; `patient` and `lab` need network namespaces and say what they skip.
 * Files of `lab` run one after another, because each measures time on a machine with few cores.
 */
export default defineConfig({
  test: {
    reporters: process.env.CI ? ['default', './test/support/closing-line.ts'] : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/lab/**', 'test/bench/**', 'test/control/worker/**', 'test/adapters/worker/**'],
          testTimeout: 30_000,
          // Most of the slow files wait for processes that they started; the machine has another core.
          maxWorkers: 2,
        },
      },
      {
        plugins: [
          cloudflareTest({
            main: './test/control/worker/main.ts',
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              cf: false,
              durableObjects: { BLANK: { className: 'BlankObject', useSQLite: true } },
              bindings: variablesUnderTest,
            },
          }),
        ],
        resolve: {
          alias: [
            { find: /^\.\.?\/runtime\.ts$/, replacement: inRoot('test/control/worker/runtime.ts') },
            // As in wrangler.toml, which says why.
            {
              find: '@aws-sdk/xml-builder',
              replacement: inRoot('node_modules/@aws-sdk/xml-builder/dist-cjs/index.js'),
            },
          ],
        },
        test: {
          name: 'worker',
          include: ['test/control/worker/*.test.ts', 'test/adapters/worker/*.test.ts', ...onEveryRuntime],
          setupFiles: ['test/control/worker/setup.ts'],
          // Each SDK is hundreds of files, which workerd would be handed one by one.
          deps: { optimizer: { ssr: { enabled: true, include: sdks } } },
          globalSetup: ['test/control/worker/outside.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'patient',
          include: patientLab,
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: patientLab,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
