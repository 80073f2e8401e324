/** Control as its users start it, `holdfast control --config FILE`, in a process of its own on loopback; and the other commands. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { ServiceView } from '../../control/core/view.ts'
import type { EventRecord } from '../../control/store/store.ts'
import { labCredentials } from '../../infra/lab/clouds/ec2.ts'
import { eventually } from './eventually.ts'

export const holdfastProgram = join(import.meta.dirname, '../../control/cli/main.ts')
const fastClock = join(import.meta.dirname, 'fast-clock.ts')

/** What control may find in its environment: the cloud's credentials, and nothing of whoever runs the tests. */
export const environment = {
  PATH: process.env.PATH ?? '',
  // Compiled once for all processes of the tests, since starting them is most of what the tests cost.
  NODE_COMPILE_CACHE: join(tmpdir(), 'holdfast-test-compile-cache'),
  AWS_ACCESS_KEY_ID: labCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: labCredentials.secretAccessKey,
  AWS_EC2_METADATA_DISABLED: 'true',
}

export const adminToken = 'admin-token-of-this-test'
export const operatorToken = 'operator-token-of-this-test'
export const viewerToken = 'viewer-token-of-this-test'
export const nodeToken = (node: string): string => `node-token-of-${node}`

/** A temporary folder for one test file; `remove` belongs into `afterAll`. */
export function createFolder(): { readonly path: string; file(name: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'))
  return { path, file: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) }
}

export type ControlSettings = {
  readonly file: string
  readonly database: string
  readonly nodes: readonly string[]
  readonly services: Readonly<Record<string, unknown>>
  /** Default: a free port of loopback. */
  readonly listen?: string
  /** Further keys of the configuration. */
  readonly more?: Readonly<Record<string, unknown>>
}

/** Writes control's configuration, with a token for every role and node. */
export function writeControlConfig(settings: ControlSettings): string {
  const { file, database, nodes, services, listen = '127.0.0.1:0', more } = settings
  const tokens = [
    { name: 'root', role: 'admin', token: adminToken },
    { name: 'ops', role: 'operator', token: operatorToken },
    { name: 'eye', role: 'viewer', token: viewerToken },
    ...nodes.map((node) => ({ name: node, role: 'node', node, token: nodeToken(node) })),
  ]
  writeFileSync(file, JSON.stringify({ listen, database, tokens, services, ...more }, undefined, 2))
  return file
}

export type Answer = { readonly status: number; readonly type: string; readonly body: unknown }

export type ControlProcess = {
  readonly url: string
  readonly pid: number
  /** Everything it has written to standard output and standard error. */
  output(): string
  /** Resolves with its exit code or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** One HTTP call with the operator's token, unless another is given. */
  call(method: string, path: string, options?: { body?: unknown; token?: string | null }): Promise<Answer>
  service(name: string): Promise<ServiceView>
  events(service: string): Promise<EventRecord[]>
  /** Waits until people see the service as `expected`. */
  until(name: string, expected: object, withinMs?: number): Promise<ServiceView>
  signal(signal: NodeJS.Signals): void
}

export type StartControl = {
  /** How many times as fast as this machine's its clock runs. */
  readonly speed?: number
  readonly env?: Readonly<Record<string, string>>
  /** A program and its arguments that is to run control, in its own place. */
  readonly through?: readonly string[]
}

/** Resolves when it listens; rejects with what it said when it ends before that. */
export async function startControl(configFile: string, options: StartControl = {}): Promise<ControlProcess> {
  const { speed = 1, env = {}, through = [] } = options
  const clock = speed === 1 ? [] : ['--import', fastClock]
  const [program, ...args] = [
    ...through,
    process.execPath,
    ...clock,
    holdfastProgram,
    'control',
    '--config',
    configFile,
  ]
  const child = spawn(program!, args, {
    env: { ...environment, CLOCK_SPEED: String(speed), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const { promise: listening, resolve, reject } = Promise.withResolvers<string>()
  const hear = (text: string): void => {
    output += text
    const url = /"event":"listening","url":"([^"]+)"/.exec(output)?.[1]
    if (url !== undefined) resolve(url)
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear)
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 0))
  })
  // A test run that is itself ended leaves nothing behind.
  const killed = (): void => void child.kill('SIGKILL')
  process.once('exit', killed)
  void ended.then(() => process.off('exit', killed))
  void ended.then((how) => reject(new Error(`control ended with ${how}: ${output}`)))
  const url = await listening
  return { ...client(url), url, pid: child.pid!, output: () => output, ended, signal: (signal) => child.kill(signal) }
}

function client(url: string): Pick<ControlProcess, 'call' | 'service' | 'events' | 'until'> {
  const call: ControlProcess['call'] = async (method, path, { body, token = operatorToken } = {}) => {
    const headers = new Headers(token === null ? {} : { authorization: `Bearer ${token}` })
    if (body !== undefined) headers.set('content-type', 'application/json')
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${url}${path}`, { method, headers, body: text })
    return {
      status: response.status,
      type: response.headers.get('content-type') ?? '',
      body: JSON.parse(await response.text()),
    }
  }
  const service = async (name: string) => (await call('GET', `/v1/services/${name}`)).body as ServiceView
  return {
    call,
    service,
    events: async (name) => {
      const { body } = await call('GET', `/v1/events?service=${name}&limit=1000`)
      return (body as { events: EventRecord[] }).events
    },
    until: (name, expected, withinMs = 15_000) =>
      eventually(
        () => service(name),
        (seen) => expect(seen).toMatchObject(expected),
        { withinMs },
      ),
  }
}

export type Ran = { readonly code: number | NodeJS.Signals; readonly stdout: string; readonly stderr: string }

/** Runs `holdfast` with these arguments to its end. */
export function runHoldfast(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = spawn(process.execPath, [holdfastProgram, ...args], { env: { ...environment, ...env } })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code: code ?? signal ?? 0, ...said }))
  })
}
