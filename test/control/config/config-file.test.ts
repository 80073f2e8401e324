/** The configuration reader by itself, on a schema that has one of each. */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what the reader expands.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigError, describeProblem, duration, nearest, readConfig } from '../../../control/config/config-file.ts'

const schema = z.strictObject({
  name: z.string().optional(),
  vrid: z.int().min(1).max(255).describe('a virtual router id').optional(),
  enabled: z.boolean().optional(),
  interval: duration({ min: '10ms', max: '40.95s' }).default(1_000),
  secret: z.string().min(8).meta({ secret: true }).optional(),
  mode: z.enum(['solo', 'pair']).optional(),
  list: z.array(z.strictObject({ port: z.int() })).optional(),
  preempt: z.union([z.boolean(), z.strictObject({ delay: duration() })]).optional(),
})

const read = (text: string, environment: Record<string, string> = {}) =>
  readConfig({ file: 'a.yaml', text, schema, environment })

function problems(text: string, environment: Record<string, string> = {}): string[] {
  try {
    read(text, environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describeProblem)
    throw error
  }
  return []
}

describe('what is right is read', () => {
  test.each<{ name: string; text: string; environment?: Record<string, string>; value: object }>([
    { name: 'nothing at all', text: '', value: { interval: 1_000 } },
    {
      name: 'JSON',
      text: '{"name": "x", "list": [{"port": 1}]}',
      value: { name: 'x', list: [{ port: 1 }], interval: 1_000 },
    },
    {
      name: 'a variable',
      text: 'name: "a-${V}-b"',
      environment: { V: 'x' },
      value: { name: 'a-x-b', interval: 1_000 },
    },
    {
      name: 'a variable as a number',
      text: 'vrid: ${V}',
      environment: { V: '51' },
      value: { vrid: 51, interval: 1_000 },
    },
    {
      name: 'a variable as a boolean',
      text: 'enabled: ${V}',
      environment: { V: 'false' },
      value: { enabled: false, interval: 1_000 },
    },
    {
      name: 'a variable of digits as text',
      text: 'name: ${V}',
      environment: { V: '51' },
      value: { name: '51', interval: 1_000 },
    },
    { name: 'an empty variable', text: 'name: "${V}"', environment: { V: '' }, value: { name: '', interval: 1_000 } },
    { name: 'a literal ${', text: 'name: "$${V}"', value: { name: '${V}', interval: 1_000 } },
    { name: 'an anchor and its alias', text: 'name: &a x\nsecret: *a', value: {} },
  ])('$name', ({ text, environment, value }) => {
    if (text.includes('*a')) expect(problems(text)).toEqual(['a.yaml:2: secret: must be at least 8 characters long'])
    else expect(read(text, environment)).toEqual(value)
  })

  test.each([
    ['150ms', 150],
    ['1s', 1_000],
    ['36.5s', 36_500],
    ['40.95s', 40_950],
  ])('the duration %s is %d milliseconds', (text, ms) => {
    expect(read(`interval: ${text}`).interval).toBe(ms)
  })

  test.each([
    ['5m', 300_000],
    ['1h', 3_600_000],
  ])('the duration %s is %d milliseconds', (text, ms) => {
    expect(read(`preempt: {delay: ${text}}`).preempt).toEqual({ delay: ms })
  })
})

describe('what is wrong is named by line, key and remedy', () => {
  test.each<{ name: string; text: string; says: string[] }>([
    { name: 'out of range', text: '\nvrid: 0', says: ['a.yaml:2: vrid: must be 1..255 (a virtual router id); got 0'] },
    {
      name: 'no whole number',
      text: 'vrid: 1.5',
      says: ['a.yaml:1: vrid: must be a whole number (a virtual router id); got 1.5'],
    },
    { name: 'the wrong type', text: 'enabled: "yes"', says: ['a.yaml:1: enabled: must be true or false; got "yes"'] },
    { name: 'an unknown key', text: 'vird: 1', says: ['a.yaml:1: vird: is not a known key (did you mean vrid?)'] },
    {
      name: 'an unknown key like no other',
      text: 'list: [{port: 1, zzzzzz: 2}]',
      says: ['a.yaml:1: list[0].zzzzzz: is not a known key (list[0] has the keys port)'],
    },
    { name: 'a missing key', text: 'list:\n  - {port: 1}\n  - {}', says: ['a.yaml:3: list[1].port: is required'] },
    {
      name: 'a choice',
      text: 'mode: sol',
      says: ['a.yaml:1: mode: must be one of solo, pair; got "sol" (did you mean solo?)'],
    },
    {
      name: 'one of two forms: neither',
      text: 'preempt: 5',
      says: ['a.yaml:1: preempt: must be true or false or a mapping; got 5'],
    },
    {
      name: 'one of two forms: the second, wrong inside',
      text: 'preempt: {dely: 1s}',
      says: [
        'a.yaml:1: preempt.delay: is required (write a duration such as 150ms, 1s, 5m or 1h)',
        'a.yaml:1: preempt.dely: is not a known key (did you mean delay?)',
      ],
    },
    {
      name: 'a duration without a unit',
      text: 'interval: 150',
      says: ['a.yaml:1: interval: needs a unit (write 150ms or 150s)'],
    },
    {
      name: 'a duration that is none',
      text: 'interval: soon',
      says: ['a.yaml:1: interval: must be a duration; got "soon" (write 150ms, 1s, 5m or 1h)'],
    },
    {
      name: 'a duration out of bounds',
      text: 'interval: 1ms',
      says: ['a.yaml:1: interval: must be 10ms..40.95s; got "1ms"'],
    },
    { name: 'a key twice', text: 'name: a\nname: b', says: ['a.yaml:2: name: is given twice; first on line 1'] },
    { name: 'a list instead of a mapping', text: '- 1', says: ['a.yaml:1: must be a mapping; got a list'] },
    {
      name: 'everything at once, in the order of the file',
      text: 'vrid: 256\nmode: x\nnmae: y\n',
      says: [
        'a.yaml:1: vrid: must be 1..255 (a virtual router id); got 256',
        'a.yaml:2: mode: must be one of solo, pair; got "x"',
        'a.yaml:3: nmae: is not a known key (did you mean name?)',
      ],
    },
  ])('$name', ({ text, says }) => {
    expect(problems(text)).toEqual(says)
  })

  test('a file that is not YAML names the first line that is not, and no more', () => {
    expect(problems('name: a\nlist: [1, 2\nvrid: 3\n')).toEqual([
      expect.stringMatching(/^a\.yaml:\d: is not valid YAML: /),
    ])
  })

  test('an unquoted variable inside braces gets the remedy', () => {
    expect(problems('list: [{port: ${P}}]')[0]).toContain('in quotes')
  })

  test('a missing variable is named once, and what would follow from it is not', () => {
    expect(problems('vrid: ${NOT_SET}\nmode: x')).toEqual([
      expect.stringMatching(
        /^a\.yaml:1: vrid: needs the environment variable NOT_SET, which is not set \(set NOT_SET /,
      ),
      'a.yaml:2: mode: must be one of solo, pair; got "x"',
    ])
  })

  test('aliases that would make the document endless are an error, not an endless wait', () => {
    const bomb = ['name: x', 'a: &a [1,1,1,1,1,1,1,1,1,1]']
    for (const [i, name] of [...'bcdefgh'].entries()) {
      const before = 'abcdefgh'[i]
      bomb.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join(',')}]`)
    }
    expect(problems(bomb.join('\n')).some((problem) => problem.includes('too large'))).toBe(true)
  })

  test('__proto__ is a key that nobody has', () => {
    expect(problems('__proto__: {polluted: true}')).toHaveLength(1)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

describe('no secret is repeated', () => {
  test.each([
    { name: 'too short', text: 'secret: "${S}"' },
    { name: 'where a number belongs', text: 'vrid: "${S}"' },
    { name: 'where a choice belongs', text: 'mode: "${S}"' },
    { name: 'where a duration belongs', text: 'interval: "${S}"' },
    { name: 'inside other text', text: 'mode: "x${S}x"' },
    { name: 'in a list', text: 'list: ["${S}"]' },
    { name: 'written in the file at a key that is secret', text: 'secret: hunter2' },
    { name: 'in a file that is not YAML', text: 'secret: hunter2 [\n {] "hunter2"\n - hunter2: [' },
  ])('$name', ({ text }) => {
    const said = problems(text, { S: 'hunter2' })
    expect(said.length).toBeGreaterThan(0)
    expect(said.join('\n')).not.toContain('hunter2')
  })
})

test.each([
  ['databse', ['database', 'listen'], 'database'],
  ['Listen', ['database', 'listen'], 'listen'],
  ['intreval', ['interval', 'internal'], 'interval'],
  ['zzz', ['database', 'listen'], undefined],
  ['x', [], undefined],
])('nearest to %s among %j is %s', (word, candidates, expected) => {
  expect(nearest(word, candidates)).toBe(expected)
})
