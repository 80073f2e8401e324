/** What the link of a node says about it: its reports, the pings that repeat them, and nothing else. */
import { expect, test } from 'vitest'
import { leaseMs } from '../../../control/contract.ts'
import { createAgentLink } from '../../../control/link/agent-link.ts'
import type { Socket } from '../../../control/link/links.ts'
import { createWorld } from '../world.ts'

/** A control with the links of nodes as agents have them. */
async function begin() {
  const world = await createWorld()
  const { cluster, links, clock } = world
  const agents = createAgentLink({
    cluster,
    links,
    tokens: { isValid: () => true },
    ports: { clock, log: () => undefined },
  })
  const connect = (node: string) => {
    const owner = { node, token: `token-of-${node}` }
    const received: string[] = []
    const socket: Socket = { send: (text) => void received.push(text), close: () => undefined }
    agents.opened(owner, socket)
    return {
      received,
      report: (state: 'active' | 'backup') => agents.heard(owner, socket, JSON.stringify(world.said(node, state))),
      ping: () => agents.heard(owner, socket, 'ping'),
      close: () => agents.ended(owner, socket),
    }
  }
  const node = (name: string) => cluster.nodes().find((each) => each.node === name)!
  return { ...world, connect, node }
}

test('a link that opens says nothing about what its node reported over the one before, and neither does a ping', async () => {
  const it = await begin()
  const former = it.connect('n1')
  await former.report('active')
  expect(it.cluster.owns('web', 'n1')).toBe(true)
  const { lastReport } = it.node('n1')
  former.close()
  await it.pass(leaseMs + 1_000)

  const link = it.connect('n1')
  for (const say of [async () => undefined, link.ping]) {
    await say()
    await it.idle()
    expect(it.node('n1')).toMatchObject({ connected: true, fresh: false, lastReport })
    expect(it.cluster.owns('web', 'n1')).toBe(false)
  }
  expect(link.received).toEqual(['pong'])

  await link.report('active')
  expect(it.node('n1').fresh).toBe(true)
  await it.pass(leaseMs - 1_000)
  await link.ping()
  await it.pass(leaseMs - 1_000)
  expect(it.node('n1').fresh).toBe(true)
  expect(it.cluster.owns('web', 'n1')).toBe(true)
})

test('a rival is not kept waiting by an owner whose link is back and that has not spoken', async () => {
  const it = await begin()
  const [n1, n2] = [it.connect('n1'), it.connect('n2')]
  await n1.report('active')
  await n2.report('backup')
  await it.pass(leaseMs + 1_000)
  await n2.ping()
  n1.close()
  it.connect('n1')
  await n2.report('active')
  await it.idle()
  // At once, as for every owner that was not heard within the lease, and not after a question that it could not answer.
  expect(it.cluster.service('web')?.owner).toMatchObject({ node: 'n2', epoch: 2 })
  expect(it.measured).toContainEqual({ kind: 'moved', service: 'web', reason: 'owner-silent' })
})

test('what a node says is not taken for a repetition of what it said before', async () => {
  const it = await begin()
  const [n1, n2] = [it.connect('n1'), it.connect('n2')]
  await n1.report('active')
  await n2.report('backup')
  await it.pass(leaseMs)
  await n1.ping()
  await it.pass(800)
  await n1.report('backup')
  await n2.report('active')
  await it.pass(10_000)
  const ended = it.measured.find((measure) => measure.kind === 'ended')
  // From its last good word, the ping, to the word that it is not active any more.
  expect(ended?.operation.report?.detectMs).toBe(800)
})
