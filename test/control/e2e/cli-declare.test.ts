/** Declaring services and making tokens while control runs: `holdfast apply` and `holdfast token`, as people type them. */
import { writeFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasTerminals, startHoldfast } from '../../support/cli-process.ts'
import {
  adminToken,
  type ControlProcess,
  createFolder,
  operatorToken,
  type Ran,
  runHoldfast,
  startControl,
  writeControlConfig,
} from '../../support/control-process.ts'

const folder = createFolder()
let control: ControlProcess

beforeAll(async () => {
  const configFile = writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: [],
    services: { fixed: {} },
  })
  control = await startControl(configFile)
}, 60_000)

afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  folder.remove()
})

const env = (): Record<string, string> => ({ HOLDFAST_URL: control.url, HOLDFAST_TOKEN: adminToken })
const holdfast = (...args: string[]): Promise<Ran> => runHoldfast(args, env())
const write = (name: string, text: string): string => {
  writeFileSync(folder.file(name), text)
  return folder.file(name)
}
const declared = async (service: string): Promise<unknown> => {
  const { status, body } = await control.call('GET', `/v1/services/${service}/declaration`, { token: adminToken })
  return status === 404 ? null : (body as { declaration: unknown }).declaration
}

const dns = '{name: dry, adapter: memory, config: {}, targets: {n1: {}, n2: {}}}'

describe('apply', () => {
  test('shows the difference and asks; only --yes needs nobody', async () => {
    const file = write('services.yaml', `services:\n  web:\n    confirm: 300ms\n    bindings: [${dns}]\n  db: {}\n`)
    const shown = `web is new
  + bindings[dry].adapter: "memory"
  + bindings[dry].config: {}
  + bindings[dry].name: "dry"
  + bindings[dry].targets.n1: {}
  + bindings[dry].targets.n2: {}
  + confirm: "300ms"
db is new
2 to create
`
    expect(await holdfast('apply', '-f', file, '--dry-run')).toEqual({
      code: 0,
      stdout: `${shown}A dry run: nothing was changed.\n`,
      stderr: '',
    })
    expect(await holdfast('apply', '-f', file)).toEqual({
      code: 1,
      stdout: shown,
      stderr: 'holdfast: nobody is here to be asked: give --yes to apply this, or --dry-run to only look\n',
    })
    expect(await declared('web')).toBeNull()
    expect(await holdfast('apply', '-f', file, '--yes')).toEqual({
      code: 0,
      stdout: `${shown}Applied: web, db.\n`,
      stderr: '',
    })
    expect(await declared('web')).toMatchObject({ confirm: '300ms', bindings: [{ name: 'dry' }] })
    expect(await holdfast('apply', '-f', file)).toEqual({
      code: 0,
      stdout: 'web is unchanged\ndb is unchanged\n2 unchanged\n',
      stderr: '',
    })
  })

  test.skipIf(!hasTerminals)('a person at a terminal answers; anything but yes is no', async () => {
    const file = write('change.yaml', 'services:\n  web:\n    confirm: 400ms\n')
    for (const [answer, code, said] of [
      ['\r', 1, 'nothing was changed'],
      ['\x03', 1, 'nothing was changed'],
      ['y\r', 0, 'Applied: web.'],
    ] as const) {
      const asking = startHoldfast(['apply', '-f', file], { env: env(), terminal: true })
      await asking.prints('Apply? [y/N]')
      asking.type(answer)
      const ended = await asking.ended
      const text = stripVTControlCharacters(ended.stdout)
      expect(text).toContain('  - confirm: "300ms"\r\n  + confirm: "400ms"')
      expect(text).toContain(said)
      expect(ended.code).toBe(code)
    }
    expect(await declared('web')).toEqual({ confirm: '400ms' })
  })

  test.skipIf(!hasTerminals)('never overwrites what somebody else has changed meanwhile', async () => {
    const file = write('mine.yaml', 'services:\n  web:\n    confirm: 500ms\n')
    const asking = startHoldfast(['apply', '-f', file], { env: env(), terminal: true })
    await asking.prints('Apply? [y/N]')
    const theirs = await control.call('PUT', '/v1/services/web', { token: adminToken, body: { confirm: '600ms' } })
    expect(theirs.status).toBe(200)
    asking.type('y\r')
    const { code, stdout } = await asking.ended
    expect(code).toBe(1)
    expect(stdout).toContain(
      'holdfast: web was changed by somebody else meanwhile, and is left as it is: apply again; nothing was applied',
    )
    expect(await declared('web')).toEqual({ confirm: '600ms' })
  })

  test.skipIf(!hasTerminals)('stops at the first failure, and says what was applied', async () => {
    const file = write('two.yaml', 'services:\n  first: {confirm: 200ms}\n  second: {confirm: 200ms}\n')
    const asking = startHoldfast(['apply', '-f', file], { env: env(), terminal: true })
    await asking.prints('Apply? [y/N]')
    await control.call('PUT', '/v1/services/second', { token: adminToken, body: {} })
    asking.type('y\r')
    const { code, stdout } = await asking.ended
    expect(code).toBe(1)
    expect(stdout).toContain('apply again; applied before it: first')
    expect(await declared('first')).toEqual({ confirm: '200ms' })
  })

  test('--prune deletes what was applied and is in no file, and never what the configuration has', async () => {
    const file = write('only.yaml', 'services:\n  web: {confirm: 600ms}\n')
    const pruned = await holdfast('apply', '-f', file, '--prune', '--yes', '--json')
    expect(pruned).toMatchObject({ code: 0, stderr: '' })
    const { applied, services } = JSON.parse(pruned.stdout) as { applied: string[]; services: { action: string }[] }
    expect(applied.toSorted()).toEqual(['db', 'first', 'second'])
    expect(services.map(({ action }) => action).toSorted()).toEqual(['delete', 'delete', 'delete', 'none'])
    expect(await declared('db')).toBeNull()
    expect(await declared('fixed')).toEqual({})
  })

  test('from standard input', async () => {
    const reading = startHoldfast(['apply', '-f', '-', '--yes', '--reason', 'a pipe'], { env: env() })
    reading.end(JSON.stringify({ services: { piped: {} } }))
    expect(await reading.ended).toEqual({ code: 0, stdout: 'piped is new\n1 to create\nApplied: piped.\n', stderr: '' })
    const said = (await control.events('piped')).find(({ kind }) => kind === 'call')
    expect(said?.detail).toMatchObject({ by: 'root', reason: 'a pipe' })
  })

  test.each([
    {
      text: 'services:\n  web: {confrm: 1s}\n',
      code: 2,
      said: ':2: services.web.confrm: is not a known key (did you mean confirm?)\n',
    },
    {
      text: 'services:\n  fixed: {}\n',
      code: 1,
      said: "fixed is declared in control's own configuration file: change it there\n",
    },
  ])('refuses $text', async ({ text, code, said }) => {
    const ran = await holdfast('apply', '-f', write('refused.yaml', text), '--yes')
    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr.endsWith(said)).toBe(true)
  })

  test('needs the role admin, and says which service it could not touch', async () => {
    const file = write('role.yaml', 'services:\n  other: {}\n')
    const ran = await runHoldfast(['apply', '-f', file, '--yes'], { ...env(), HOLDFAST_TOKEN: operatorToken })
    expect(ran).toMatchObject({
      code: 1,
      stderr: 'holdfast: other: control says: needs the role admin; ops is operator\n',
    })
  })

  test('wrong usage', async () => {
    expect(await holdfast('apply')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("'-f, --file <file...>' not specified"),
    })
    expect(await holdfast('apply', '--json', '-f', folder.file('services.yaml'))).toMatchObject({
      code: 2,
      stderr: 'holdfast: with --json nothing is shown to ask about: give --yes or --dry-run\n',
    })
    expect(await holdfast('apply', '-f', '/nowhere.yaml')).toMatchObject({
      code: 2,
      stderr: 'holdfast: /nowhere.yaml: there is no such file\n',
    })
  })
})

describe('token', () => {
  const works = async (token: string): Promise<number> =>
    (await runHoldfast(['events', '--limit', '1'], { HOLDFAST_URL: control.url, HOLDFAST_TOKEN: token })).code as number

  test('is replaced without anybody being locked out', async () => {
    const first = await holdfast('token', 'create', 'grafana', '--role', 'viewer')
    expect(first.code).toBe(0)
    // Alone, so that it can go straight into a file.
    expect(first.stdout).toMatch(/^hf_[\w-]{40,}\n$/)
    expect(first.stderr).toMatch(/^holdfast: made (\w+) \(grafana\) with the role viewer; it never expires\n/)
    expect(first.stderr).not.toContain(first.stdout.trim())
    const second = await holdfast('token', 'create', 'grafana', '--role', 'viewer', '--expires', '30d', '--json')
    const made = JSON.parse(second.stdout) as { id: string; token: string; expiresAt: string; createdAt: string }
    expect(Date.parse(made.expiresAt) - Date.parse(made.createdAt)).toBe(30 * 86_400_000)
    expect([await works(first.stdout.trim()), await works(made.token)]).toEqual([0, 0])

    const list = await holdfast('token', 'list')
    const old = /made (\w+) /.exec(first.stderr)![1]!
    expect(list.stdout).toMatch(/^ID +NAME +ROLE +FROM +EXPIRES\n/)
    expect(list.stdout).toMatch(new RegExp(`\\n${old} +grafana +viewer +made \\d+s ago +never\\n`))
    expect(list.stdout).toMatch(/ +root +admin +configuration +never\n/)
    expect(list.stdout).not.toContain('hf_')
    expect(await holdfast('token', 'revoke', old)).toEqual({
      code: 0,
      stdout: `${old} is refused from now on\n`,
      stderr: '',
    })
    expect([await works(first.stdout.trim()), await works(made.token)]).toEqual([1, 0])
    expect(await holdfast('token', 'revoke', 'grafana', '--json')).toMatchObject({
      code: 0,
      stdout: `{"revoked":["${made.id}"]}\n`,
    })
  })

  test.each([
    { args: 'token create x --role boss', code: 2, said: 'Allowed choices are admin, operator, viewer, node' },
    { args: 'token create x', code: 2, said: "'--role <role>' not specified" },
    { args: 'token create n1 --role node', code: 2, said: 'a token with the role node needs --node and its name' },
    { args: 'token create x --role viewer --node n1', code: 2, said: '--node only goes with --role node' },
    {
      args: 'token create x --role viewer --expires soon',
      code: 2,
      said: '--expires soon is not a length of time; write 12h or 30d',
    },
    { args: 'token revoke nobody', code: 1, said: 'control says: there is no token nobody' },
    { args: 'token revoke root', code: 1, said: 'root' },
    { args: 'token rovoke root', code: 2, said: 'Did you mean revoke?' },
  ])('$args', async ({ args, code, said }) => {
    const ran = await holdfast(...args.split(' '))
    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toContain(said)
    expect(ran.stderr).not.toContain(adminToken)
  })
})
