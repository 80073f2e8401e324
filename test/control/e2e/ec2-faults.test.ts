/**
 * Every way in which EC2 goes wrong, through control as a process: at rest the address is at the owner, nothing is
 * written that need not be, people can see what is wrong while it lasts, and no secret is to be found anywhere.
 *
 * Each case has nodes and an EC2 of its own, and all share one control whose clock runs five times as fast, so
 * that its settle window of 30 s and its late check after 35 s pass within the test.
 */
import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ec2Change, labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { type Cloud, startCloud } from '../../support/cloud.ts'
import {
  type ControlProcess,
  createFolder,
  nodeToken,
  operatorToken,
  startControl,
  viewerToken,
  writeControlConfig,
} from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { createAgent, type ScriptedAgent } from '../../support/scripted-agent.ts'

const speed = 5

const refusals = [
  { stage: 'forbidden', code: 'UnauthorizedOperation', number: '19' },
  { stage: 'expired', code: 'RequestExpired', number: '19' },
  { stage: 'throttled', code: 'RequestLimitExceeded', number: '10' },
  { stage: 'broken', code: 'InternalError', number: '10' },
  { stage: 'pending', code: 'IncorrectInstanceState', number: '18' },
] as const
const stages = [
  ...refusals.map(({ stage }) => stage),
  ...(['reset', 'lost', 'hung', 'late', 'stale', 'drift', 'fought', 'away', 'blind'] as const),
]
type Stage = (typeof stages)[number]

const folder = createFolder()
const database = folder.file('control.db')
const clouds = new Map<Stage, Cloud>()
let control: ControlProcess

const nodesOf = (stage: Stage): [string, string] => [`${stage}-1`, `${stage}-2`]

beforeAll(async () => {
  for (const stage of stages) clouds.set(stage, await startCloud({ nodes: nodesOf(stage), ...fight(stage) }))
  const configFile = writeControlConfig({
    file: folder.file('control.json'),
    database,
    nodes: stages.flatMap(nodesOf),
    services: Object.fromEntries([...clouds].map(([stage, { service }]) => [stage, service])),
  })
  control = await startControl(configFile, { speed })
}, 60_000)

/** How many more times the address of `fought` is taken away as soon as it is given. */
let undoes = 0

function fight(stage: Stage): { onChange?: (change: Ec2Change) => void } {
  const onChange = ({ event }: Ec2Change): void => {
    if (event !== 'associated' || undoes === 0) return
    undoes -= 1
    clouds.get('fought')!.moveTo(null)
  }
  return stage === 'fought' ? { onChange } : {}
}

afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  for (const { ec2 } of clouds.values()) await ec2.close()
  folder.remove()
})

type Pair = { readonly cloud: Cloud; readonly n1: ScriptedAgent; readonly n2: ScriptedAgent; move(): void }

/** The first node owns, and its address was read back. `move` makes the other one the owner. */
async function pair(stage: Stage): Promise<Pair> {
  const [one, two] = nodesOf(stage)
  const n1 = createAgent({ node: one, service: stage, priority: 200, speed })
  const n2 = createAgent({ node: two, service: stage, priority: 100, speed })
  await Promise.all([n1.connect(control.url), n2.connect(control.url)])
  n2.say('backup')
  n1.say('active')
  await control.until(stage, { phase: 'settled', owner: { node: one } })
  const move = (): void => {
    n1.say('backup')
    n2.say('active')
  }
  return { cloud: clouds.get(stage)!, n1, n2, move }
}

/** The binding rests at `node`, and so does the address. */
async function rests(stage: Stage, node: string, epoch: number): Promise<void> {
  await control.until(stage, {
    phase: 'settled',
    owner: { node, epoch },
    bindings: [{ state: 'settled', node, epoch, observed: node, lastError: null }],
  })
  expect(clouds.get(stage)!.at()).toBe(node)
}

/** The owner changes twice after a failure that is mended: a new epoch is tried at once, without waiting for the next probe. */
async function backAndForth(stage: Stage, { n1, n2 }: Pick<Pair, 'n1' | 'n2'>) {
  const { attempts } = (await control.service(stage)).bindings[0]!
  n2.say('backup')
  n1.say('active')
  await rests(stage, n1.node, 3)
  // It was there all the time.
  expect((await control.service(stage)).bindings[0]!.attempts).toBe(0)
  n1.say('backup')
  n2.say('active')
  return { epoch: 4, attempts }
}

const kindsOf = async (stage: Stage): Promise<string[]> => (await control.events(stage)).map(({ kind }) => kind)

/** All at once, as far as may be: most of each is waiting. */
describe.concurrent('through control, with an EC2 that goes wrong', () => {
  test('14: an address that somebody else has moved is put back, and the trail says what was found', async () => {
    const { cloud, n1 } = await pair('drift')
    cloud.moveTo('drift-2')
    await eventually(
      () => cloud.at(),
      (node) => expect(node).toBe(n1.node),
    )
    await rests('drift', n1.node, 1)
    const drifts = (await control.events('drift')).filter(({ kind }) => kind === 'drift')
    expect(drifts).toMatchObject([
      { node: n1.node, epoch: 1, detail: { observed: 'drift-2', raw: { networkInterfaceId: 'eni-2' } } },
    ])
    expect(cloud.writes()).toHaveLength(2)
  })

  test('4: an older write that lands after a newer one is found and put right', async () => {
    const { cloud, n1, n2, move } = await pair('late')
    // It is on its way for as long as the test likes.
    cloud.ec2.faults.add({ kind: 'reset-before', action: 'AssociateAddress' })
    move()
    await control.until('late', { owner: { epoch: 2 }, bindings: [{ state: 'verifying' }] })
    cloud.ec2.faults.clear()
    n2.say('backup')
    n1.say('active')
    await rests('late', n1.node, 3)
    // The address never left n1, and was given to it again all the same: the older write might only have been invisible.
    expect(cloud.writes().at(-1)).toEqual({ node: n1.node, outcome: 'ok' })
    const writes = cloud.writes().length
    cloud.moveTo(n2.node)
    await eventually(
      () => cloud.at(),
      (node) => expect(node).toBe(n1.node),
    )
    await rests('late', n1.node, 3)
    expect(await kindsOf('late')).toContain('drift')
    expect(cloud.writes()).toHaveLength(writes + 1)
  })

  test('14: one that is taken away as soon as it is given is given again, until it stays', async () => {
    const { cloud, move } = await pair('fought')
    undoes = 2
    move()
    await rests('fought', 'fought-2', 2)
    expect(undoes).toBe(0)
    await eventually(
      () => kindsOf('fought'),
      (kinds) => expect(kinds.slice(2)).toEqual(['owner-changed', 'binding-settled', 'failover-done']),
    )
    expect(cloud.writes().map(({ node }) => node)).toEqual(['fought-1', ...Array(3).fill('fought-2')])
  })

  test.each(refusals)('$number: $code', async ({ stage, code }) => {
    const { cloud, n1, n2, move } = await pair(stage)
    const permanent = code === 'UnauthorizedOperation' || code === 'RequestExpired'
    cloud.ec2.faults.add({ kind: 'error', action: 'AssociateAddress', code, message: quoted })
    move()
    const state = permanent ? 'failed' : 'retrying'
    const [binding] = (await control.until(stage, { phase: 'degraded', bindings: [{ state }] })).bindings
    expect(binding).toMatchObject({ node: n2.node, epoch: 2, observed: n1.node })
    expect(binding!.lastError).toContain(code)
    if (!permanent) {
      await eventually(
        () => cloud.writes().length,
        (writes) => expect(writes).toBeGreaterThan(2),
      )
    }
    expect(cloud.at()).toBe(n1.node)
    cloud.ec2.faults.clear()
    const { epoch, attempts } = permanent ? await backAndForth(stage, { n1, n2 }) : { epoch: 2, attempts: 0 }
    await rests(stage, n2.node, epoch)
    const outcomes = cloud.writes().map(({ outcome }) => outcome)
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(2)
    // Every write that was made is accounted for.
    expect((await control.service(stage)).bindings[0]!.attempts + attempts).toBe(outcomes.length - 1)
    const said = (await control.events(stage)).filter(({ detail }) => detail.code === code)
    expect(said.map(({ kind }) => kind)).toEqual([permanent ? 'binding-failed' : 'binding-retrying'])
  })

  test('19: reading is refused as well', async () => {
    const { cloud, n1, n2, move } = await pair('blind')
    cloud.ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', message: quoted })
    move()
    await control.until('blind', { phase: 'degraded', bindings: [{ state: 'failed', observed: 'blind-1' }] })
    // The write that the last look asked for was refused, and with it the next look: no more is tried.
    expect(cloud.writes().map(({ outcome }) => outcome)).toEqual(['ok', 'UnauthorizedOperation'])
    cloud.ec2.faults.clear()
    await backAndForth('blind', { n1, n2 })
    await rests('blind', n2.node, 4)
    expect(cloud.writes().map(({ outcome }) => outcome)).toEqual(['ok', 'UnauthorizedOperation', 'ok'])
  })

  test('10: as often as it may be asked, and no more often', async () => {
    const { ec2 } = clouds.get('throttled')!
    const times = () => ec2.requests.filter(({ outcome }) => outcome === 'RequestLimitExceeded').map(({ at }) => at)
    await eventually(times, (refused) => expect(refused.length).toBeGreaterThanOrEqual(2))
    const [first, second] = times().map((at) => Date.parse(at))
    // Two seconds when the provider does not say, on a clock five times as fast.
    expect(second! - first!).toBeGreaterThanOrEqual(390)
  })

  test('12: a connection reset before the effect: looked at, and written once more', async () => {
    const { cloud, n2, move } = await pair('reset')
    cloud.ec2.faults.add({ kind: 'reset-before', action: 'AssociateAddress', next: 1 })
    move()
    const view = await control.until('reset', { phase: 'moving', bindings: [{ state: 'verifying', attempts: 1 }] })
    expect(view.bindings[0]!.lastError).toMatch(/ECONNRESET/)
    await rests('reset', n2.node, 2)
    expect(cloud.writes().map(({ outcome }) => outcome)).toEqual(['ok', 'reset', 'ok'])
  })

  test('12: the answer lost after the effect: read back, and not written again', async () => {
    const { cloud, n2, move } = await pair('lost')
    cloud.ec2.faults.add({ kind: 'reset-after', action: 'AssociateAddress', next: 1 })
    move()
    await rests('lost', n2.node, 2)
    expect(cloud.writes().map(({ outcome }) => outcome)).toEqual(['ok', 'ok, then reset'])
  })

  test('12: the answer never comes: given up, read back, and not written again', async () => {
    const { cloud, n2, move } = await pair('hung')
    cloud.ec2.faults.add({ kind: 'hang-after', action: 'AssociateAddress', next: 1 })
    move()
    await control.until('hung', { phase: 'moving', bindings: [{ state: 'applying' }] })
    await rests('hung', n2.node, 2)
    expect(cloud.writes().map(({ outcome }) => outcome)).toEqual(['ok', 'ok, not answered'])
  })

  test('13: reads that are behind a write: polled, and not written again', async () => {
    const { cloud, n2, move } = await pair('stale')
    // What reads will show is how it was a second ago, which shall be at rest already.
    const settledAt = performance.now()
    await eventually(
      () => performance.now() - settledAt,
      (passed) => expect(passed).toBeGreaterThan(1_000),
    )
    cloud.ec2.faults.add({ kind: 'stale-reads', ms: 1_000 })
    const reads = cloud.reads()
    move()
    await control.until('stale', { phase: 'moving', bindings: [{ state: 'verifying', observed: 'stale-1' }] })
    expect(cloud.at()).toBe(n2.node)
    await rests('stale', n2.node, 2)
    expect(cloud.writes()).toHaveLength(2)
    expect(cloud.reads() - reads).toBeGreaterThanOrEqual(3)
    expect(cloud.reads() - reads).toBeLessThan(14)
  })

  test('an endpoint that is away: degraded until it is back, and then as it should be', async () => {
    const { cloud, n2, move } = await pair('away')
    const { hostname, port } = new URL(cloud.ec2.url)
    await cloud.ec2.close()
    move()
    const view = await control.until('away', { phase: 'degraded', bindings: [{ state: 'retrying', attempts: 1 }] })
    expect(view.bindings[0]!.lastError).toMatch(/ECONNREFUSED|ECONNRESET/)
    const back = await startCloud({ nodes: nodesOf('away'), listen: { host: hostname, port: Number(port) } })
    clouds.set('away', back)
    await rests('away', n2.node, 2)
    expect(back.writes()).toEqual([{ node: n2.node, outcome: 'ok' }])
  })
})

/** What EC2 might quote in an error: nothing of it may be repeated. */
const sessionToken = 'FwoGZXIvYXdzEBYaDKz5'.repeat(8)
const quoted = `denied for ${labCredentials.accessKeyId}, X-Amz-Security-Token: ${sessionToken} ${sessionToken}`

test('no secret is in the output, the API or the database', async () => {
  const paths = ['/v1/services', '/v1/nodes', '/v1/events?limit=1000', '/openapi.json']
  const answers = await Promise.all(paths.map((path) => control.call('GET', path)))
  const files = ['', '-wal', '-shm'].map((end) => `${database}${end}`).filter((name) => existsSync(name))
  expect(files).toContain(`${database}-wal`)
  const places = {
    output: control.output(),
    api: JSON.stringify(answers.map(({ body }) => body)),
    database: files.map((name) => readFileSync(name, 'latin1')).join(''),
  }
  // What was looked for would have been found: these are there.
  expect(places.output).toContain('binding-failed')
  expect(places.database).toContain('UnauthorizedOperation')
  expect(places.api).toContain('UnauthorizedOperation')
  const { accessKeyId, secretAccessKey } = labCredentials
  const secrets = [accessKeyId, secretAccessKey, sessionToken, operatorToken, viewerToken, nodeToken('drift-1')]
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) expect(text.includes(secret), `${secret.slice(0, 12)}… in ${place}`).toBe(false)
  }
})
