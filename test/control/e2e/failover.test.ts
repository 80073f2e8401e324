/**
 * One owner, followed by a cloud: control as a process, agents that say what they are told to, and the strict EC2.
 * Numbers are those of the scenarios in the reference on cloud targets; every test has nodes and an EC2 of its own.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cloud, startCloud } from '../../support/cloud.ts'
import { type ControlProcess, createFolder, startControl, writeControlConfig } from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { createAgent, type ScriptedAgent } from '../../support/scripted-agent.ts'

const confirmMs = 150

const stages = ['says', 'closes', 'lease', 'frozen', 'answers', 'mute', 'blip', 'flood'] as const
type Stage = (typeof stages)[number]

/** Where a machine that is slow while it runs the tests must not be taken for an owner that does not answer. */
const patience: Partial<Record<Stage, string>> = { frozen: '2s', answers: '10s', blip: '10s' }

const folder = createFolder()
const clouds = new Map<Stage, Cloud>()
let control: ControlProcess

beforeAll(async () => {
  for (const stage of stages) {
    const nodes = [`${stage}-1`, `${stage}-2`]
    clouds.set(stage, await startCloud({ nodes, confirm: patience[stage] ?? '150ms' }))
  }
  control = await startControl(
    writeControlConfig({
      file: folder.file('control.json'),
      database: folder.file('control.db'),
      nodes: stages.flatMap((stage) => [`${stage}-1`, `${stage}-2`]),
      services: Object.fromEntries([...clouds].map(([stage, { service }]) => [stage, service])),
    }),
  )
}, 60_000)

afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  for (const { ec2 } of clouds.values()) await ec2.close()
  folder.remove()
})

/** Two nodes, the first one active and its address read back. */
async function pair(stage: Stage): Promise<{ n1: ScriptedAgent; n2: ScriptedAgent; cloud: Cloud }> {
  const n1 = createAgent({ node: `${stage}-1`, service: stage, priority: 200 })
  const n2 = createAgent({ node: `${stage}-2`, service: stage, priority: 100 })
  await Promise.all([n1.connect(control.url), n2.connect(control.url)])
  n2.say('backup')
  n1.say('active')
  await control.until(stage, { phase: 'settled', owner: { node: n1.node, epoch: 1 } })
  const cloud = clouds.get(stage)!
  expect(cloud.at()).toBe(n1.node)
  expect(cloud.writes()).toEqual([{ node: n1.node, outcome: 'ok' }])
  return { n1, n2, cloud }
}

/** The second node owns, the address is there, and it took one write. */
async function moved(stage: Stage, { n2, cloud }: { n2: ScriptedAgent; cloud: Cloud }, reason: string) {
  await control.until(stage, {
    phase: 'settled',
    owner: { node: n2.node, epoch: 2 },
    bindings: [{ state: 'settled', node: n2.node, epoch: 2, observed: n2.node, attempts: 1, lastError: null }],
  })
  expect(cloud.at()).toBe(n2.node)
  expect(cloud.writes().map(({ node }) => node)).toEqual([`${stage}-1`, n2.node])
  const events = await control.events(stage)
  const changes = events.filter(({ kind }) => kind === 'owner-changed')
  expect(changes.map(({ epoch, detail }) => [epoch, detail.reason])).toEqual([
    [1, 'first'],
    [2, reason],
  ])
}

/** Waits until the audit trail of a service holds an event like this. */
async function heard(stage: Stage, event: object): Promise<void> {
  await eventually(
    () => control.events(stage),
    (events) => expect(events).toContainEqual(expect.objectContaining(event)),
  )
}

describe.concurrent('the outside follows', () => {
  test('an owner that says it is not active is succeeded at once', async () => {
    const it = await pair('says')
    it.n1.say('backup')
    it.n2.say('active')
    await moved('says', it, 'owner-not-active')
  })

  test('an owner whose connection closes is succeeded at once', async () => {
    const it = await pair('closes')
    it.n1.drop()
    await control.until('closes', { members: [{ connected: false }, { connected: true }] })
    expect(await control.service('closes')).toMatchObject({ owner: { node: 'closes-1' } })
    it.n2.say('active')
    await moved('closes', it, 'owner-disconnected')
  })

  test('an owner that is silent for a lease is gone, though its connection stands', async () => {
    const it = await pair('lease')
    const probe = async () => (await control.call('GET', `/v1/services/lease/owner?node=${it.n1.node}`)).status
    expect(await probe()).toBe(200)
    it.n1.silent = true
    await eventually(probe, (status) => expect(status).toBe(503))
    expect(await control.service('lease')).toMatchObject({ phase: 'settled', members: [{ connected: true }, {}] })
    it.n2.say('active')
    await moved('lease', it, 'owner-silent')
    expect(it.n1.received).toEqual([])
  })

  test('17: an owner that is frozen with its connection open is succeeded, and its return changes nothing', async () => {
    const it = await pair('frozen')
    it.n1.silent = true
    it.n2.say('active')
    await moved('frozen', it, 'no-answer')
    it.n1.silent = false
    it.n1.say('active')
    await it.n2.told('ask')
    await heard('frozen', {
      kind: 'dual-active',
      detail: expect.objectContaining({ owner: it.n2.node, rival: it.n1.node }),
    })
    it.n1.say('backup')
    await heard('frozen', { kind: 'dual-active-ended' })
    expect(it.cloud.at()).toBe(it.n2.node)
    expect(it.cloud.writes()).toHaveLength(2)
  })

  test('1: two that are active: the owner is asked, answers, and the cloud does not move', async () => {
    const { n1, n2, cloud } = await pair('answers')
    n2.say('active')
    expect(await n1.told('ask')).toMatchObject({ service: 'answers' })
    await heard('answers', {
      kind: 'dual-active',
      node: n2.node,
      detail: expect.objectContaining({ owner: n1.node, rival: n2.node }),
    })
    // Both go on saying so: control asks again, and says nothing twice.
    await eventually(
      () => n1.received.length,
      (asked) => expect(asked).toBeGreaterThanOrEqual(3),
    )
    expect(await control.service('answers')).toMatchObject({ phase: 'settled', owner: { node: n1.node, epoch: 1 } })
    n2.say('backup')
    await heard('answers', { kind: 'dual-active-ended' })
    const events = await control.events('answers')
    expect(events.filter(({ kind }) => kind === 'dual-active')).toHaveLength(1)
    expect(cloud.writes()).toHaveLength(1)
  })

  test('1: two that are active, and the owner does not answer: believed after confirm', async () => {
    const it = await pair('mute')
    it.n1.silent = true
    const since = performance.now()
    it.n2.say('active')
    await it.n1.told('ask')
    await moved('mute', it, 'no-answer')
    expect(performance.now() - since).toBeGreaterThan(confirmMs)
  })

  test('2: a backup that is active for less than confirm moves nothing', async () => {
    const { n1, n2, cloud } = await pair('blip')
    n1.silent = true
    n2.say('active')
    await n1.told('ask')
    n2.say('backup')
    n1.silent = false
    n1.say('active')
    // What has been heard before this is answered has been dealt with.
    await control.call('POST', '/v1/services/blip/switchover', { body: { to: n1.node } })
    expect(await control.service('blip')).toMatchObject({ phase: 'settled', owner: { node: n1.node, epoch: 1 } })
    expect(n1.received.map(({ kind }) => kind)).toEqual(['ask'])
    expect(cloud.writes()).toHaveLength(1)
  })

  test('the same report a thousand times is one decision and one write', async () => {
    const { n1, cloud } = await pair('flood')
    for (let i = 0; i < 1_000; i++) n1.say('active')
    n1.send(JSON.stringify({ ...n1.report('backup'), sequence: 1 }))
    n1.say('active')
    const answer = await control.call('POST', '/v1/services/flood/switchover', { body: { to: n1.node } })
    expect(answer).toMatchObject({ status: 409, body: { code: 'already-owner' } })
    expect(cloud.writes()).toHaveLength(1)
    expect((await control.events('flood')).map(({ kind }) => kind)).toEqual(['owner-changed', 'binding-settled'])
  })
})
