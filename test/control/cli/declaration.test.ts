/** What `holdfast apply` reads from files, and what it shows of the difference. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { builtIn } from '../../../adapters/registry.ts'
import { compare } from '../../../control/cli/declaration-diff.ts'
import { readDeclarationFiles } from '../../../control/cli/declaration-files.ts'
import { ConfigError } from '../../../control/config/config-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-apply-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** One that takes a secret. */
const keyed = {
  name: 'keyed',
  config: z.strictObject({ zone: z.string(), key: z.string().meta({ secret: true }) }),
  target: z.strictObject({}),
}
const adapters = [keyed, builtIn.schemaOf('memory')!]

/** What is wrong with these files, without the folder. */
function problemsOf(...files: string[]): string[] {
  try {
    readDeclarationFiles({ files, environment: {}, adapters })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.replaceAll(`${folder}/`, '').split('\n')
  }
}

describe('files', () => {
  test('documents and files are merged; what was written is kept, with the environment in it', () => {
    const first = write(
      'first.yaml',
      `services:\n  web: {confirm: "\${CONFIRM}", flap: {moves: "\${MOVES}"}}\n---\nservices:\n  db: {}\n`,
    )
    const second = write('second.json', JSON.stringify({ services: { api: { sites: ['dc1'] } } }))
    const services = readDeclarationFiles({
      files: [first, second],
      environment: { CONFIRM: '300ms', MOVES: '4' },
    })
    expect([...services]).toEqual([
      ['web', { confirm: '300ms', flap: { moves: 4 } }],
      ['db', {}],
      ['api', { sites: ['dc1'] }],
    ])
  })

  test('every mistake of all of them, each with its file and line, also in a later document', () => {
    const first = write('wrong.yaml', 'services:\n  web:\n    confrm: 300ms\n---\nservices:\n  db:\n    confirm: 300\n')
    const second = write('other.yaml', `tokens: []\nservices:\n  api: {confirm: "\${NOWHERE}"}\n`)
    expect(problemsOf(first, second)).toEqual([
      'wrong.yaml:3: services.web.confrm: is not a known key (did you mean confirm?)',
      'wrong.yaml:7: services.db.confirm: needs a unit (write 300ms or 300s)',
      'other.yaml:1: tokens: is not a known key (this file has the keys services)',
      'other.yaml:3: services.api.confirm: needs the environment variable NOWHERE, which is not set (set NOWHERE where ' +
        'holdfast is started, or write $${NOWHERE} for that text itself)',
    ])
  })

  test('a service that is declared twice', () => {
    const first = write('a.yaml', 'services:\n  web: {}\n')
    const second = write('b.yaml', '\nservices:\n  web: {}\n')
    expect(problemsOf(first, second)).toEqual([
      'b.yaml:3: services.web: is declared twice; first in a.yaml:2 (remove one of them)',
    ])
  })

  test('a secret, wherever it came from, and never shown', () => {
    const file = write(
      'secret.yaml',
      `services:
  web:
    bindings:
      - name: dns
        adapter: keyed
        config: {zone: example.com, key: czNjcjN0}
        targets: {n1: {}}
`,
    )
    expect(problemsOf(file)).toEqual([
      'secret.yaml:6: services.web.bindings[0].config.key: is a secret, which control would store in clear (declare this ' +
        "service in control's configuration file, which names the environment instead)",
    ])
  })

  test('no YAML at all', () => {
    expect(problemsOf(write('broken.yaml', 'services: {web: '))[0]).toMatch(/^broken\.yaml:1: is not valid YAML: /)
    expect(problemsOf(write('empty.yaml', ''))).toEqual(['empty.yaml:1: services: is required'])
  })
})

describe('differences', () => {
  const binding = (name: string, region: string) => ({ name, config: { region }, targets: { n1: { ip: '10.0.0.1' } } })

  test.each([
    { name: 'the same', before: { a: 1, b: [1, 2] }, after: { b: [1, 2], a: 1 }, says: [] },
    {
      name: 'a value',
      before: { confirm: '150ms' },
      after: { confirm: '300ms' },
      says: ['confirm: "150ms" => "300ms"'],
    },
    { name: 'a new key', before: {}, after: { flap: { moves: 3 } }, says: ['flap.moves: null => 3'] },
    {
      name: 'a key that goes',
      before: { sites: ['a', 'b'] },
      after: { sites: ['a'] },
      says: ['sites[1]: "b" => null'],
    },
    { name: 'a service that is new', before: undefined, after: { hosts: ['x'] }, says: ['hosts[0]: null => "x"'] },
    { name: 'a service that goes', before: { hosts: [] }, after: undefined, says: ['hosts: [] => null'] },
    { name: 'nothing at all', before: undefined, after: {}, says: [] },
    {
      name: 'an empty map',
      before: { config: {} },
      after: { config: { a: null } },
      says: ['config: {} => null', 'config.a: null => null'],
    },
    {
      name: 'a binding is found by its name',
      before: { bindings: [binding('eip', 'eu'), binding('dns', 'eu')] },
      after: { bindings: [binding('dns', 'us'), binding('eip', 'eu')] },
      says: ['bindings[dns].config.region: "eu" => "us"'],
    },
  ])('$name', ({ before, after, says }) => {
    expect(compare(before, after).map((change) => `${change.key}: ${change.before} => ${change.after}`)).toEqual(says)
  })
})
