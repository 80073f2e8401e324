/** Completion of names: what real shells offer from the control that the line, or the environment, names. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  type ControlProcess,
  createFolder,
  environment,
  holdfastProgram,
  operatorToken,
  type Ran,
  runHoldfast,
  startControl,
  viewerToken,
  writeControlConfig,
} from '../../support/control-process.ts'
import { nodesOf, setStages } from '../../support/stages.ts'

const folder = createFolder()
const stages = ['web', 'web-internal', 'db']
const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0
let control: ControlProcess
/** Where `holdfast` is, as it is where it is installed. */
const bin = folder.file('bin')

beforeAll(async () => {
  mkdirSync(bin)
  writeFileSync(`${bin}/holdfast`, `#!/bin/sh\nexec '${process.execPath}' '${holdfastProgram}' "$@"\n`)
  chmodSync(`${bin}/holdfast`, 0o755)
  const configFile = writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: nodesOf(stages),
    services: Object.fromEntries(stages.map((stage) => [stage, {}])),
  })
  control = await startControl(configFile)
  await setStages(control, stages)
}, 60_000)

afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  folder.remove()
})

type Env = Readonly<Record<string, string>>

const known = (): Env => ({ HOLDFAST_URL: control.url, HOLDFAST_TOKEN: viewerToken })

function run(program: string, args: readonly string[], env: Env): Promise<Ran> {
  const child = spawn(program, args, {
    cwd: folder.path,
    env: { ...environment, ...env, PATH: `${bin}:${environment.PATH}` },
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  }
  child.stdin.end()
  return new Promise((resolve) => child.once('close', (code) => resolve({ code: code ?? 0, ...said })))
}

/** What bash offers with the cursor at the end of `line`, its words broken at what bash breaks them at. */
async function bash(line: string, env: Env): Promise<string[]> {
  const words = line.split(/(?<=[=:])|(?=[=:])| /)
  const asked = `
source <(holdfast completion bash)
[[ $(complete -p holdfast) == 'complete -F _holdfast holdfast' ]] || exit 9
COMP_LINE='${line}' COMP_POINT=${line.length}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
_holdfast holdfast '' ''
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { code, stdout, stderr } = await run('bash', ['--norc', '-c', asked], env)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.split('\n').filter((word) => word !== '')
}

const services = ['db', 'web', 'web-internal']

describe('bash', () => {
  test.each([
    { line: 'holdfast status ', offers: services },
    { line: 'holdfast switchover web', offers: ['web', 'web-internal'] },
    { line: 'holdfast switchover web --to db', offers: ['db-1', 'db-2'] },
    { line: 'holdfast switchover web --to=db', offers: ['db-1', 'db-2'] },
    { line: 'holdfast switchover web --to=', offers: nodesOf(stages).toSorted() },
    { line: 'holdfast drain web-1', offers: ['web-1'] },
    { line: 'holdfast events --service w', offers: ['web', 'web-internal'] },
    { line: 'holdfast events --node web-internal', offers: ['web-internal-1', 'web-internal-2'] },
    { line: 'holdfast hold --reason ', offers: [] },
    { line: 'holdfast token create ', offers: [] },
    { line: 'holdfast events --since ', offers: [] },
  ])('$line', async ({ line, offers }) => {
    expect((await bash(line, known())).toSorted()).toEqual(offers)
  })

  test('operations, the newest first', async () => {
    const ids: string[] = []
    for (const to of ['db-2', 'db-1']) {
      const { stdout } = await runHoldfast(['switchover', 'db', '--to', to, '--wait', '--json'], {
        HOLDFAST_URL: control.url,
        HOLDFAST_TOKEN: operatorToken,
      })
      ids.unshift((JSON.parse(stdout) as { id: string }).id)
    }
    expect(await bash('holdfast operation ', known())).toEqual(ids)
  })

  test('the control and the token that the line names, above those of the environment', async () => {
    const wrong = { HOLDFAST_URL: 'http://127.0.0.1:9', HOLDFAST_TOKEN: 'wrong' }
    expect(await bash(`holdfast status --url ${control.url} --token ${viewerToken} d`, wrong)).toEqual(['db'])
    expect(await bash(`holdfast status --url=${control.url} --token=${viewerToken} d`, {})).toEqual(['db'])
    expect(await bash('holdfast status d', wrong)).toEqual([])
  })
})

test.skipIf(!has('zsh'))('zsh asks for the same names (skipped where there is no zsh)', async () => {
  const asked = `
compdef() { : }
source <(holdfast completion zsh)
compadd() { shift; print -l -- "$@" }
words=(switchover web --url '${control.url}' --token=${viewerToken} --to '')
_holdfast_names nodes`
  const { stdout, stderr } = await run('zsh', ['-f', '-c', asked], {})
  expect(stderr).toBe('')
  expect(stdout.trimEnd().split('\n').toSorted()).toEqual(nodesOf(stages).toSorted())
})

test.skipIf(!has('fish'))('fish offers the same names (skipped where there is no fish)', async () => {
  const offered = async (line: string, env: Env): Promise<string[]> => {
    const asked = `holdfast completion fish | source; complete -C '${line}'`
    const { stdout, stderr } = await run('fish', ['--no-config', '-c', asked], env)
    expect(stderr).toBe('')
    // What follows the tab describes the word.
    return stdout.split('\n').flatMap((line) => line.split('\t')[0] || [])
  }
  expect((await offered('holdfast switchover ', known())).toSorted()).toEqual(services)
  expect((await offered('holdfast switchover web --to db', known())).toSorted()).toEqual(['db-1', 'db-2'])
  const named = `holdfast status --url ${control.url} --token=${viewerToken} d`
  expect(await offered(named, { HOLDFAST_URL: 'http://127.0.0.1:9' })).toEqual(['db'])
})

describe('names says nothing, and takes half a second at most, where there is nothing to say', () => {
  const silent = { code: 0, stdout: '', stderr: '' }
  const listen = async (server: Server): Promise<string> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('no control, no agent, one that refuses', async () => {
    const nowhere = { HOLDFAST_SOCKET: folder.file('nowhere.sock') }
    expect(await runHoldfast(['names', 'nodes'], nowhere)).toEqual(silent)
    expect(await runHoldfast(['names', 'services'], nowhere)).toEqual(silent)
    expect(await runHoldfast(['names', 'services'], { HOLDFAST_URL: 'http://127.0.0.1:9' })).toEqual(silent)
    const refused = { HOLDFAST_URL: control.url, HOLDFAST_TOKEN: 'wrong' }
    expect(await runHoldfast(['names', 'operations'], refused)).toEqual(silent)
  })

  test('a control that accepts the connection and never answers', async () => {
    const asked = Promise.withResolvers<void>()
    const url = await listen(
      createTcpServer((socket) => void socket.on('error', () => undefined).once('data', asked.resolve)),
    )
    const begun = performance.now()
    expect(await runHoldfast(['names', 'services'], { HOLDFAST_URL: url })).toEqual(silent)
    await asked.promise
    // Its own start included, on a machine that may be busy; the patience of other commands is 10 s.
    expect(performance.now() - begun).toBeLessThan(5_000)
  })

  test('whatever answers there, nothing but names reaches the shell', async () => {
    const bad = ['ok', '$(touch pwned)', '`touch pwned`', 'a b', '-x', '', 'x'.repeat(64)]
    const body = JSON.stringify({ services: bad.map((service) => ({ service })) })
    const url = await listen(createServer((_, response) => response.end(body)))
    expect(await runHoldfast(['names', 'services'], { HOLDFAST_URL: url })).toEqual({ ...silent, stdout: 'ok\n' })
  })
})
