/** keepalived's configuration to an agent's: real shapes, mistakes, and whatever a mutation makes of them. */
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ConfigError } from '../../../control/config/config-file.ts'
import { type Imported, type ImportOptions, importKeepalived } from '../../../control/import/translate.ts'
import { readAgentConfig } from '../../../node-agent/config.ts'
import { createRandom } from '../../support/prng.ts'
import { instance, type Shape } from './shape.ts'
import { routerShapes } from './shapes-routers.ts'
import { trackingShapes } from './shapes-tracking.ts'

const shapes = [...routerShapes, ...trackingShapes]

type Judge = ImportOptions['judge']

const acceptsAll: Judge = () => []

const acceptsWhatThisVersionDoes: Judge = (text) => {
  try {
    const named = [...text.matchAll(/\$\{(HOLDFAST_\w+)\}/g)]
    const environment = Object.fromEntries(named.map(([, name]) => [name, 'secret12']))
    readAgentConfig({ file: 'n1.yaml', text, environment, hostName: 'n1', interfaces: undefined })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

function run({ text, files = {} }: Pick<Shape, 'text' | 'files'>, judge: Judge): Imported {
  const find = (_: string, pattern: string) =>
    Object.entries(files)
      .filter(([path]) => path === pattern || (pattern.endsWith('/*.conf') && path.startsWith(pattern.slice(0, -6))))
      .map(([file, text]) => ({ file, text }))
  const options = { find, peek: (path: string) => files[path], configId: 'n1', adapters: ['aws-eip', 'memory'], judge }
  return importKeepalived({ file: 'keepalived.conf', text }, options)
}

function read(shape: Pick<Shape, 'text' | 'files'>, judge: Judge) {
  const imported = run(shape, judge)
  if (imported.kind === 'read') return imported
  throw new Error(imported.problems.map(({ file, line, message }) => `${file}:${line}: ${message}`).join('\n'))
}

describe('what keepalived would do, with all that the design has', () => {
  test.each(shapes)('$name', (shape) => {
    const { text, findings } = read(shape, acceptsAll)
    expect(parse(text!)).toEqual(shape.becomes)
    const said = findings.map(({ line, kind, what, text }) => `${line} ${kind} ${what}: ${text}`)
    for (const line of shape.says ?? []) expect(said).toContainEqual(expect.stringContaining(line))
  })
})

describe('what this version does', () => {
  test.each(shapes)('$name: the rest is comments, each with its reason and a finding', (shape) => {
    const { text, findings } = read(shape, acceptsWhatThisVersionDoes)
    // A file of which nothing can run gives no text, and a finding for each of its instances.
    if (text === undefined) return expect(findings).toContainEqual(expect.objectContaining({ kind: 'dropped' }))
    expect(acceptsWhatThisVersionDoes(text, [])).toEqual([])
    const all = read(shape, acceptsAll).text!
    const missing = Object.keys(parse(all).services).filter((name) => !(name in parse(text).services))
    for (const name of missing) expect(text).toMatch(new RegExp(`^ *# ${name}:`, 'm'))
  })

  test('of the protocol nothing is left out any more', () => {
    const protocol = /unicast|version 2|use_vmac|no_accept|IPv6|patience|password|delay before/
    const spoken = shapes.filter(({ name, text }) => protocol.test(name) || /auth_type PASS|use_vmac/.test(text))
    expect(spoken.length).toBeGreaterThan(5)
    for (const { name, text, files, becomes } of spoken) {
      const imported = read({ text, ...(files === undefined ? {} : { files }) }, acceptsWhatThisVersionDoes)
      expect(parse(imported.text!).services, name).toEqual(becomes.services)
    }
  })

  /** As of a version that lacks just this. */
  const refuses =
    (key: string, message: string): Judge =>
    (text) => {
      const found = key
        .split('.')
        .reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], parse(text))
      return found === undefined ? [] : [{ key, message, hint: 'do without' }]
    }

  test('a refused key is a comment with the reason, a refused service is one as a whole', () => {
    const shape = { text: instance('    nopreempt') + instance('').replace('VI_1', 'VI_2') }
    const one = read(shape, refuses('services.VI_1.preempt', 'is not here yet'))
    expect(parse(one.text!).services.VI_1).not.toHaveProperty('preempt')
    expect(one.text).toContain('    # is not here yet (do without):\n    # preempt: false  # keepalived.conf:8\n')
    expect(one.findings).toContainEqual({
      file: 'keepalived.conf',
      line: 8,
      kind: 'dropped',
      what: 'nopreempt',
      text: 'is not here yet (do without)',
    })
    const whole = read(shape, refuses('services.VI_2.vrid', 'is taken'))
    expect(Object.keys(parse(whole.text!).services)).toEqual(['VI_1'])
    expect(whole.text).toMatch(/^ {2}# VI_2:.*\n {2}# {3}interface: eth0/m)
  })

  test('a file without VRRP gives nothing to run', () => {
    const { text, findings } = read({ text: 'virtual_server 192.0.2.1 80 {\n}\n' }, acceptsWhatThisVersionDoes)
    expect(text).toBeUndefined()
    expect(findings).toMatchObject([{ kind: 'dropped', line: 1 }])
  })
})

test.each([
  {
    name: 'a block without end',
    text: 'vrrp_instance VI_1 {\n  interface eth0\n',
    says: 'keepalived.conf:1: vrrp_instance VI_1: its } is missing',
  },
  { name: 'a brace too many', text: `${instance('')}}\n`, says: 'keepalived.conf:10: this } closes nothing' },
  { name: 'a brace of nobody', text: '{\n}\n', says: 'keepalived.conf:1: this { belongs to no keyword' },
  {
    name: 'an open quote',
    text: instance('  auth_pass "hunter2'),
    says: 'keepalived.conf:8: auth_pass: a " is not closed',
  },
  {
    name: 'an include of nothing',
    text: '\ninclude more.conf\n',
    says: 'keepalived.conf:2: include more.conf: there is no such file',
  },
  {
    name: 'includes in a circle',
    text: 'include a.conf\n',
    files: { 'a.conf': '\ninclude b.conf', 'b.conf': 'include a.conf' },
    says: 'b.conf:1: include a.conf: the files include each other: a.conf → b.conf → a.conf',
  },
  {
    name: 'a mistake in an included file',
    text: 'include a.conf\n',
    files: { 'a.conf': '\n\n}' },
    says: 'a.conf:3: this } closes nothing',
  },
  {
    name: 'a definition of itself',
    text: '$A=x $A\n$A\n',
    says: 'keepalived.conf:2: expands without end: a definition contains itself',
  },
  {
    name: 'a repetition of nothing',
    text: '~SEQ(i, one, two) a\n',
    says: 'keepalived.conf:1: ~SEQ(i,: write ~SEQ(name, first, last) or ~LST(name, a, b)',
  },
  {
    name: 'a repetition without bounds',
    text: '~SEQ(i,1,9999) ~SEQ(j,1,9999) a$i\n',
    says: 'keepalived.conf:1: expands to more than 50000 lines',
  },
])('$name is an error with its place', ({ text, files, says }) => {
  const imported = run({ text, ...(files === undefined ? {} : { files }) }, acceptsAll)
  const said = imported.kind === 'broken' ? imported.problems : []
  expect(said.map(({ file, line, message }) => `${file}:${line}: ${message}`)).toEqual([says])
})

test('a secret is in no output, whatever stands around it', () => {
  const secret = 'hunter2'
  const places = [
    instance(`  authentication {\n auth_type PASS\n auth_pass ${secret}\n }`),
    instance(`  authentication {\n auth_type AH\n auth_pass ${secret}\n }`),
    instance(`  version 3\n authentication {\n auth_type PASS\n auth_pass ${secret}\n }`),
    instance(`  auth_pass ${secret}`),
    `${instance('')}auth_pass ${secret}\n`,
    instance(`  authentication {\n auth_pass "${secret}\n }`),
    instance(`  notify_master "/usr/bin/aws --secret ${secret} ec2 associate-address"`),
    instance(`  authentication {\n auth_type PASS\n auth_pass ${secret}\n`),
  ]
  for (const text of places) {
    for (const judge of [acceptsAll, acceptsWhatThisVersionDoes])
      expect(JSON.stringify(run({ text }, judge))).not.toContain(secret)
  }
})

test('whatever a mutation makes of the shapes is an error with a line, or a configuration that the schema accepts', () => {
  const random = createRandom(1)
  const noise = [
    '{',
    '}',
    '"',
    "'",
    '\\',
    '$',
    '${',
    '~SEQ(',
    '@n1 ',
    '\n',
    ' ',
    '!',
    '0',
    '-',
    ':',
    '/',
    'ü',
    '\u0000',
  ]
  const outcomes = { broken: 0, nothing: 0, accepted: 0 }
  for (let round = 0; round < 300; round += 1) {
    const { text, files } = random.pick(shapes)
    let mutated = text
    for (let i = Math.floor(random.between(1, 4)); i > 0; i -= 1) {
      const at = Math.floor(random.next() * mutated.length)
      const removed = random.chance(0.5) ? Math.floor(random.between(0, 12)) : 0
      mutated = mutated.slice(0, at) + (random.chance(0.7) ? random.pick(noise) : '') + mutated.slice(at + removed)
    }
    const imported = run({ text: mutated, ...(files === undefined ? {} : { files }) }, acceptsWhatThisVersionDoes)
    if (imported.kind === 'broken') {
      outcomes.broken += 1
      expect(imported.problems.every(({ line }) => line >= 1)).toBe(true)
    } else if (imported.text === undefined) outcomes.nothing += 1
    else {
      outcomes.accepted += 1
      expect(acceptsWhatThisVersionDoes(imported.text, []), mutated).toEqual([])
    }
  }
  // Neither of them is rare, or the mutations prove nothing.
  expect(Math.min(outcomes.broken, outcomes.accepted)).toBeGreaterThan(40)
})
