/** The log of control as a process: complete for whoever reads it, and in nobody's way for whoever does not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { afterAll, afterEach, expect, test } from 'vitest'
import { createLog } from '../../../control/node/log.ts'
import {
  createFolder,
  environment,
  holdfastProgram,
  nodeToken,
  operatorToken,
  writeControlConfig,
} from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { serviceReport } from '../world.ts'

const folder = createFolder()
afterAll(() => folder.remove())
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Control, whose log is read until it listens, and then not any more. */
async function startUnread(name: string) {
  const file = writeControlConfig({
    file: folder.file(`${name}.json`),
    database: folder.file(`${name}.db`),
    nodes: ['n1', 'n2'],
    services: { web: { nodes: ['n1', 'n2'] } },
  })
  const child = spawn(process.execPath, [holdfastProgram, 'control', '--config', file], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  children.push(child)
  const ended = once(child, 'exit')
  let output = ''
  const url = await new Promise<string>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const said = /"event":"listening","url":"([^"]+)"/.exec(output)?.[1]
      if (said !== undefined) resolve(said)
    })
  })
  child.stderr.pause()
  const call = async (method: string, path: string, token: string, body?: object): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await fetch(`${url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    expect(response.status).toBeLessThan(300)
    return response.json()
  }
  /** Two calls each time, and with every call at least one line; 300 times are more than a pipe takes. */
  const talk = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      await call('PUT', '/v1/services/web/hold', operatorToken, { reason: 'x'.repeat(500) })
      await call('DELETE', '/v1/services/web/hold', operatorToken)
    }
  }
  let sequence = 0
  const report = (node: string, state: 'active' | 'backup'): Promise<unknown> => {
    sequence += 1
    const services = { web: serviceReport(node, state) }
    return call('POST', `/v1/nodes/${node}/report`, nodeToken(node), {
      ...{ node, site: 'dc1', incarnation: node, sequence, services },
    })
  }
  const owner = async () =>
    ((await call('GET', '/v1/services/web', operatorToken)) as { owner: { node: string } | null }).owner?.node
  const stop = async () => {
    child.kill('SIGTERM')
    return (await ended)[0] as number | null
  }
  return { child, output: () => output, call, talk, report, owner, stop }
}

test('nobody reads it: decisions go on, and so does the end', async () => {
  const control = await startUnread('unread')
  await control.talk(300)
  await control.report('n1', 'active')
  await eventually(control.owner, (node) => expect(node).toBe('n1'))
  await control.report('n1', 'backup')
  await control.report('n2', 'active')
  await eventually(control.owner, (node) => expect(node).toBe('n2'))
  expect(await control.stop()).toBe(0)
})

test('it is read late: nothing is missing, the last line included', async () => {
  const control = await startUnread('late')
  await control.talk(300)
  const ended = control.stop()
  const all = once(control.child, 'close')
  control.child.stderr?.resume()
  expect(await ended).toBe(0)
  await all
  const lines = control.output().trim().split('\n')
  const events = lines.map((line) => (JSON.parse(line) as { event: string }).event)
  expect(events.filter((event) => event === 'call')).toHaveLength(600)
  expect(events.at(-1)).toBe('stopped')
})

test('what a reader leaves for too long is left out, and counted', async () => {
  const written: string[] = []
  let take: (() => void) | null = null
  const stream = new Writable({
    decodeStrings: false,
    write: (line: string, _, done) => {
      written.push(line)
      take = done
    },
  })
  const log = await createLog({}, Object.assign(stream, { fd: -1 }))
  const line = (n: number): void => log('info', { event: 'said', n, msg: 'x'.repeat(10_000) })
  for (let n = 0; n < 1_000; n += 1) line(n)
  const entries = () => written.map((text) => JSON.parse(text) as { event: string; n?: number; lines?: number })
  while (take !== null && stream.writableLength > 0) {
    const done: () => void = take
    take = null
    done()
    await new Promise(setImmediate)
  }
  const said = entries().filter(({ event }) => event === 'said')
  expect(said.map(({ n }) => n)).toEqual(said.map((_, n) => n))
  expect(said.length).toBeGreaterThan(100)
  expect(entries().at(-1)).toMatchObject({ event: 'log-dropped', lines: 1_000 - said.length })
  line(1_000)
  expect(entries().at(-1)).toMatchObject({ event: 'said', n: 1_000 })
})

test('a reader who leaves ends nothing', async () => {
  const control = await startUnread('gone')
  control.child.stderr?.destroy()
  await control.talk(3)
  await control.report('n1', 'active')
  await eventually(control.owner, (node) => expect(node).toBe('n1'))
  expect(await control.stop()).toBe(0)
})
