/**
 * SIGKILL at 200 random moments under load loses nothing that was acknowledged.
 *
 * Most of them hit a process that only writes, as fast as the disk takes it, through the store and the group commit of
 * control; the others a whole control whose agents and operators ask for as much as they can over HTTP. After each kill
 * everything that anybody was answered has to be there, a move is there as a whole or not at all, and no event is missing.
 */
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, test } from 'vitest'
import type { Commands } from '../../../control/contract.ts'
import type { Operation } from '../../../control/decision.ts'
import { openDatabase, verifyDatabase } from '../../../control/node/node-sqlite.ts'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import type { EventRecord, Store } from '../../../control/store/store.ts'
import {
  type ControlProcess,
  createFolder,
  nodeToken,
  startControl,
  writeControlConfig,
} from '../../support/control-process.ts'
import { createRandom, type Random } from '../../support/prng.ts'
import { createAgent } from '../../support/scripted-agent.ts'
import { type Acknowledged, operationOf, textOf } from '../../support/store-writer-main.ts'

const folder = createFolder()
afterAll(() => folder.remove())

const writer = join(import.meta.dirname, '../../support/store-writer-main.ts')
const seed = Number(process.env.SEED ?? 20261122)

/** 4 databases with 45 kills each, and one control with 20: 200. */
const databases = 4
const killsOfEach = 45
const killsOfControl = 20

describe.concurrent(`seed ${seed}`, () => {
  test.each(Array.from({ length: databases }, (_, i) => i))(
    'a process that only writes, database %i',
    async (number) => {
      const random = createRandom(seed + number)
      const file = folder.file(`writer-${number}.db`)
      const acknowledged: Acknowledged[] = []
      for (let kill = 0; kill < killsOfEach; kill++) {
        acknowledged.push(...(await writeUntilKilled({ file, run: `run-${kill}`, random })))
        const database = openDatabase(file)
        checkStore(createSqlStore(database), acknowledged)
        database.close()
      }
      verifyDatabase(file)
      // Otherwise all of this would have proved nothing.
      expect(acknowledged.length).toBeGreaterThan(killsOfEach)
    },
    200_000,
  )

  test('a whole control', async () => {
    const world = beginControl(createRandom(seed - 1))
    for (let kill = 0; kill < killsOfControl; kill++) await killUnderLoad(world)
    const control = await startControl(world.configFile)
    await checkControl(control, world)
    control.signal('SIGTERM')
    expect(await control.ended).toBe(0)
    expect(world.operations.size).toBeGreaterThan(0)
    expect(world.owners.size).toBeGreaterThan(killsOfControl)
  }, 200_000)
})

type Run = { readonly file: string; readonly run: string; readonly random: Random }

/** One in ten is killed while it opens the database; the others while they write. */
async function writeUntilKilled({ file, run, random }: Run): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [writer, file, run], {
    env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: join(tmpdir(), 'holdfast-test-compile-cache') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<string | number | null>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
  const kill = (afterMs: number): void => void setTimeout(() => child.kill('SIGKILL'), afterMs)
  const early = random.chance(0.1)
  const moment = early ? random.between(0, 250) : random.between(0, 60)
  const heard: Acknowledged[] = []
  if (early) kill(moment)
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (heard.length === 0 && !early) kill(moment)
    // The last line may have been cut by the kill: then nobody was told.
    if (line.endsWith('}')) heard.push(JSON.parse(line) as Acknowledged)
  })
  expect(await ended).toBe('SIGKILL')
  return heard
}

function checkStore(store: Store, acknowledged: readonly Acknowledged[]): void {
  const { epochs } = store.load()
  const events = store.events({ since: 0, limit: 10_000_000 })
  expectNoGap(events)
  const tokens = new Set(store.tokens().map(({ id }) => id))
  const lost = acknowledged.filter((what) => {
    if (what.kind === 'token') return !tokens.has(what.id)
    if (what.kind === 'events') return what.ids.some((id) => events[id - 1]?.text !== what.run)
    const { service, epoch, event } = what
    return !((epochs[service] ?? 0) >= epoch && events[event - 1]?.text === textOf(service, epoch))
  })
  expect(lost).toEqual([])
  // A move as a whole, or nothing of it: also one that nobody was told of.
  for (const [service, epoch] of Object.entries(epochs)) {
    const moves = events.filter((event) => event.service === service)
    expect(moves.map((event) => event.epoch)).toEqual(Array.from({ length: epoch }, (_, i) => i + 1))
    expect(store.operation(operationOf(service, epoch))).toMatchObject({ epoch, to: `n${epoch}` })
    expect(store.operation(operationOf(service, epoch + 1))).toBeUndefined()
    expect(store.bindings(service)).toMatchObject([{ epoch, node: `n${epoch}` }])
  }
}

/** Joined, as comparing arrays of this length costs more than all the rest. */
function expectNoGap(events: readonly EventRecord[]): void {
  const gap = events.findIndex(({ id }, i) => id !== i + 1)
  expect(gap, 'the first event whose id does not follow').toBe(-1)
}

type World = {
  readonly configFile: string
  readonly random: Random
  readonly agents: readonly ReturnType<typeof createAgent>[]
  /** What anybody was answered. */
  readonly owners: Map<number, string>
  readonly operations: Set<string>
  readonly events: Map<number, string>
}

function beginControl(random: Random): World {
  const nodes = ['n1', 'n2']
  const configFile = writeControlConfig({
    file: folder.file('whole.json'),
    database: folder.file('whole.db'),
    nodes,
    services: { web: { nodes, flap: { moves: 1_000, per: '10s' } } },
  })
  const agents = nodes.map((node, i) => createAgent({ node, service: 'web', priority: 200 - i }))
  return { configFile, random, agents, owners: new Map(), operations: new Set(), events: new Map() }
}

async function killUnderLoad(world: World): Promise<void> {
  const control = await startControl(world.configFile)
  await checkControl(control, world)
  // Each of them ends with the connection.
  const working = Promise.allSettled([report(control, world), operate(control, world), look(control, world)])
  const kill = world.random.between(20, 400)
  setTimeout(() => control.signal('SIGKILL'), kill)
  expect(await control.ended).toBe('SIGKILL')
  await working
}

/** The two nodes take turns, as fast as they are answered; an answer tells who owns. */
async function report(control: ControlProcess, { agents, owners }: World): Promise<never> {
  for (let turn = 0; ; turn++) {
    const said = [agents[turn % 2]!.report('backup'), agents[(turn + 1) % 2]!.report('active')] as const
    for (const body of said) {
      const options = { body, token: nodeToken(body.node) }
      const answer = await control.call('POST', `/v1/nodes/${body.node}/report`, options)
      const { commands = [] } = answer.body as Partial<Commands>
      for (const command of commands) if (command.kind === 'owner') owners.set(command.epoch, command.node)
    }
  }
}

async function operate(control: ControlProcess, { operations }: World): Promise<never> {
  for (let turn = 0; ; turn++) {
    const { status, body } = await control.call('POST', '/v1/services/web/switchover', {
      body: { to: `n${(turn % 2) + 1}` },
    })
    if (status === 202) operations.add((body as { operation: Operation }).operation.id)
  }
}

async function look(control: ControlProcess, { owners, events }: World): Promise<never> {
  for (;;) {
    const { owner } = await control.service('web')
    if (owner !== null) owners.set(owner.epoch, owner.node)
    const since = events.size
    const { body } = await control.call('GET', `/v1/events?since=${since}&limit=100`)
    for (const { id, text } of (body as { events: EventRecord[] }).events) events.set(id, text)
  }
}

async function checkControl(control: ControlProcess, { owners, operations, events }: World): Promise<void> {
  const trail: EventRecord[] = []
  for (;;) {
    const { body } = await control.call('GET', `/v1/events?since=${trail.length}&limit=1000`)
    const page = (body as { events: EventRecord[] }).events
    if (page.length === 0) break
    trail.push(...page)
  }
  expectNoGap(trail)
  for (const [id, text] of events) expect(trail[id - 1]?.text).toBe(text)
  const moves = trail.filter(({ kind }) => kind === 'owner-changed')
  expect(moves.map(({ epoch }) => epoch)).toEqual(moves.map((_, i) => i + 1))
  for (const [epoch, node] of owners) expect(moves[epoch - 1]).toMatchObject({ epoch, node })
  const { owner } = await control.service('web')
  expect(owner?.epoch ?? 0).toBe(moves.length)
  for (const id of operations) expect((await control.call('GET', `/v1/operations/${id}`)).status).toBe(200)
}
