/** Controls in this process, each a real server with a real database file; ended after each test. */
import { writeFileSync } from 'node:fs'
import { afterAll, afterEach } from 'vitest'
import { WebSocket } from 'ws'
import { commandsSchema, type RefusedService, type RouterState } from '../../../control/contract.ts'
import type { LogEntry } from '../../../control/core/ports.ts'
import { type RunningControl, runControl } from '../../../control/node/main.ts'
import { createFolder } from '../../support/control-process.ts'
import { serviceReport } from '../world.ts'

export const folder = createFolder()
afterAll(() => folder.remove())
const running: RunningControl[] = []
afterEach(async () => {
  for (const control of running.splice(0)) await control.close()
})

const tokens = [
  { name: 'root', role: 'admin', token: 'admin-token-of-this-test' },
  { name: 'n1', role: 'node', node: 'n1', token: 'node-token-of-n1' },
  { name: 'n3', role: 'node', node: 'n3', token: 'node-token-of-n3' },
]
export const declaration = { bindings: [{ name: 'dry', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }] }

export function writeConfig(name: string, more: object = {}): string {
  const database = folder.file(`${name}.db`)
  const config = { listen: '127.0.0.1:0', database, tokens, services: { web: declaration }, ...more }
  writeFileSync(folder.file(`${name}.json`), JSON.stringify(config))
  return folder.file(`${name}.json`)
}

export async function start(name: string, more: object = {}) {
  const logged: LogEntry[] = []
  const log = (_: unknown, entry: LogEntry): void => void logged.push(entry)
  const control = await runControl({ configFile: writeConfig(name, more), log, signals: false, environment: {} })
  running.push(control)
  const call = async (method: string, path: string, body?: unknown, token = 'admin-token-of-this-test') => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const text = body === undefined ? null : JSON.stringify(body)
    const response = await fetch(`${control.url}${path}`, { method, headers, body: text })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { ...control, logged, call }
}

/** A node's link. `ca`: of a server whose certificate nobody else has signed. */
export async function link(url: string, token: string, ca?: string) {
  const headers = { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/agent`, {
    headers,
    ...(ca === undefined ? {} : { ca }),
  })
  const refused: RefusedService[] = []
  socket.on('message', (data) => {
    if (String(data) !== 'pong') refused.push(...(commandsSchema.parse(JSON.parse(String(data))).refused ?? []))
  })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return { socket, closed, refused }
}

export const report = (node: string, state: RouterState, sequence = 1) => ({
  node,
  site: 'dc1',
  incarnation: `${node}-incarnation`,
  sequence,
  services: { web: serviceReport(node, state) },
})
