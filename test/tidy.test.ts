/** The house rules that matter, as a test: who may import whom, what a pure file may not touch, how long a file may be. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '')
const sources = tracked.filter((name) => name.endsWith('.ts'))
const production = sources.filter((name) => !name.startsWith('test/') && !/^[^/]+$/.test(name))

const read = (name: string): string => readFileSync(join(root, name), 'utf8')

/** Files without input, output, clock, random, log or await: functions of their arguments. */
const pure = (name: string): boolean =>
  /^(node-agent\/(vrrp|wire|config)|control\/(rules|import))\//.test(name) ||
  [
    ...['link/outbox', 'link/lease', 'checks/health', 'checks/priority', 'lapse', 'told', 'solo'].map(
      (name) => `node-agent/${name}.ts`,
    ),
    ...[
      'binding',
      'decide',
      'decision',
      'edge/known',
      'edge/route',
      'operation',
      'plan',
      'reconcile',
      'seeing/trace',
    ].map((name) => `control/${name}.ts`),
    ...['deadlines', 'health', 'unheard'].map((name) => `control/core/${name}.ts`),
    ...['declaration-diff', 'status-text', 'table', 'trouble'].map((name) => `control/cli/${name}.ts`),
  ].includes(name)

/** Every module that a file names: static, dynamic and type imports, and re-exports. */
function importsOf(name: string): string[] {
  const text = read(name)
  const found = text.matchAll(/(?:from\s+|import\s*\(\s*|^import\s+)'([^']+)'/gm)
  return [...found].map(([, module]) => (module!.startsWith('.') ? normalize(join(dirname(name), module!)) : module!))
}

/** `who` may only import what `may` matches. The first rule that fits a file holds for it. */
const directions: { who: RegExp; may: RegExp }[] = [
  { who: /^node-agent\/wire\//, may: /^node-agent\/wire\// },
  { who: /^node-agent\/vrrp\//, may: /^node-agent\/(vrrp|wire)\// },
  {
    who: /^node-agent\/linux\//,
    may: /^(node:|koffi$|node-agent\/(linux|wire)\/|node-agent\/ports\.ts$|node-agent\/vrrp\/(time|engine|router|datagrams)\.ts$)/,
  },
  { who: /^node-agent\/link\/(outbox|lease)\.ts$/, may: /^control\/contract\.ts$/ },
  { who: /^node-agent\/link\//, may: /^(node:|ws$|control\/contract\.ts$|node-agent\/(link\/|log\.ts$))/ },
  { who: /^node-agent\/checks\//, may: /^(node:|node-agent\/(checks|vrrp)\/)/ },
  {
    who: /^node-agent\//,
    may: /^(node:|zod$|hono|@hono\/|node-agent\/|control\/(contract|config\/config-file)\.ts$)/,
  },
  { who: /^control\/contract\.ts$/, may: /^zod$/ },
  { who: /^control\/import\//, may: /^(yaml$|control\/import\/)/ },
  { who: /^control\/(node|cli)\//, may: /^(?!.*test\/).+/ },
  { who: /^control\/edge\//, may: /^(cloudflare:|zod$|control\/edge\/)/ },
  {
    who: /^control\/worker\//,
    may: /^(cloudflare:|zod$|hono|package\.json$|control\/(?!node\/|cli\/)|adapters\/(adapter|registry)\.ts$)/,
  },
  {
    who: /^control\//,
    may: /^(zod$|yaml$|hono|@hono\/zod-openapi|control\/(?!node\/|worker\/|cli\/)|adapters\/(adapter|registry)\.ts$)/,
  },
  { who: /^adapters\/registry\.ts$/, may: /^(zod$|adapters\/)/ },
  {
    who: /^adapters\/(adapter|memory|failures|documentation|data|pause|url)\.ts$/,
    may: /^(zod$|adapters\/adapter\.ts$)/,
  },
  { who: /^adapters\/(http|secret)\.ts$/, may: /^(zod$|#runtime\/|adapters\/(adapter|failures)\.ts$)/ },
  { who: /^adapters\/runtime\//, may: /^(node:|undici$|adapters\/(secret|runtime\/(found|program))\.ts$)/ },
  {
    who: /^adapters\/([^/]+)\//,
    may: /^(zod$|node:net$|@aws-sdk\/|@smithy\/|cloudflare(\/|$)|#(aws|rfc2136|runtime)\/|adapters\/)/,
  },
  { who: /^infra\//, may: /^(?!.*test\/).+/ },
]

/** A library or binding that one place owns. */
const owners: { module: RegExp; only: RegExp }[] = [
  { module: /^koffi$/, only: /^node-agent\/linux\/libc\.ts$/ },
  { module: /^node:sqlite$/, only: /^(control\/node\/node-sqlite|infra\/lab\/dns\/servers)\.ts$/ },
  { module: /^cloudflare:/, only: /^control\/(worker|edge)\// },
  { module: /^@aws-sdk\//, only: /^adapters\/(aws|route53)/ },
  { module: /^undici$/, only: /^adapters\/runtime\/node\// },
  { module: /^cloudflare(\/|$)/, only: /^adapters\/cloudflare/ },
  { module: /^infra\//, only: /^(infra\/|control\/cli\/demo)/ },
]

test('imports point in the allowed direction', () => {
  const wrong: string[] = []
  for (const name of production) {
    const rule = directions.find(({ who }) => who.test(name))
    for (const module of importsOf(name)) {
      if (rule === undefined) wrong.push(`${name}: no rule says what it may import`)
      else if (!rule.may.test(module)) wrong.push(`${name} imports ${module}`)
    }
  }
  expect(wrong).toEqual([])
})

test('a library that one place owns is imported nowhere else', () => {
  const wrong = production.flatMap((name) =>
    importsOf(name)
      .filter((module) => owners.some((owner) => owner.module.test(module) && !owner.only.test(name)))
      .map((module) => `${name} imports ${module}`),
  )
  expect(wrong).toEqual([])
})

test('pure files touch no clock, random, log, timer, process or promise', () => {
  const banned = new RegExp(
    [
      'Date\\.now',
      'new Date\\(\\)',
      'Math\\.random',
      'performance',
      'process\\.',
      'console\\.',
      'setTimeout',
      'setInterval',
    ]
      .concat(['setImmediate', 'await\\b', 'async\\b', 'crypto\\b', 'Promise\\b'])
      .map((word) => `\\b${word}`)
      .join('|'),
  )
  const wrong = sources.filter(pure).flatMap((name) =>
    read(name)
      .split('\n')
      .map((line, i) => ({ line: line.replace(/\/\/.*|^\s*\*.*|\/\*.*/, ''), at: `${name}:${i + 1}` }))
      .filter(({ line }) => banned.test(line))
      .map(({ at }) => at),
  )
  expect(wrong).toEqual([])
})

test('a file is one idea: at most 400 lines of at most 140 characters', () => {
  const wrong = sources.flatMap((name) => {
    const lines = read(name).split('\n')
    const long = lines.findIndex((line) => line.length > 140)
    return [
      ...(lines.length > 401 ? [`${name}: ${lines.length - 1} lines`] : []),
      ...(long >= 0 ? [`${name}:${long + 1} is too wide`] : []),
    ]
  })
  expect(wrong).toEqual([])
})

test('every module opens by saying what it is', () => {
  const wrong = production.filter((name) => !/^(#!.*\n)?\/\*\*/.test(read(name)))
  expect(wrong).toEqual([])
})

test('nothing is left for later in the code, and no name of the old protocol creeps in', () => {
  const banned = /\b(TODO|FIXME|XXX|HACK)\b|\b(isMaster|becomeMaster|masterDown|masterAdver)\w*/
  const wrong = sources.filter((name) => name !== 'test/tidy.test.ts' && banned.test(read(name)))
  expect(wrong).toEqual([])
})

test('the lock file pins every package by its hash and names no download host', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { integrity?: string; resolved?: string }>
  }
  const wrong = Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && (entry.integrity === undefined || entry.resolved !== undefined))
    .map(([path]) => path)
  expect(wrong).toEqual([])
})

test('package.json pins exact versions', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json')) as Record<
    string,
    Record<string, string>
  >
  const wrong = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
  )
  expect(wrong).toEqual([])
})

test('the top level holds what belongs there', () => {
  const allowed = new Set([
    'node-agent',
    'control',
    'adapters',
    'infra',
    'test',
    '.ci',
    '.gitignore',
    '.npmrc',
    'package.json',
    'package-lock.json',
    'wrangler.toml',
    'tsconfig.json',
    'tsconfig.worker.json',
    'biome.json',
    'vitest.config.ts',
    'README.md',
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'LICENSE',
  ])
  expect([...new Set(tracked.map((name) => name.split('/')[0]!))].filter((name) => !allowed.has(name))).toEqual([])
})
