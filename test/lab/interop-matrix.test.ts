/**
 * Our agent and each neighbour of the matrix (test/support/interop.ts), each active at first, while everything happens
 * to the active one: at rest exactly one holds the address, and takeovers keep to the interval.
 *
 * Each row is a lab of its own, and several run at once: in version 2 they mostly wait.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, test, vi } from 'vitest'
import { type AgentProcess, startAgent } from '../../infra/lab/agent.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import { type Holding, watchHolding } from '../../infra/lab/holding.ts'
import { isRunning } from '../../infra/lab/program.ts'
import type { RouterProcess } from '../../infra/lab/router-process.ts'
import { createLab, type Lab } from '../../infra/lab/topology.ts'
import { statusOf } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import {
  downMs,
  type EventName,
  interopTable,
  type Member,
  type Mode,
  modes,
  noteOf,
  type Role,
  roles,
  rowOf,
  serviceOf,
  skewMs,
} from '../support/interop.ts'
import { lab } from '../support/lab.ts'
import { bothOf, describeWith, frr, keepalived, type Requirement } from '../support/peers.ts'

/** What a busy machine may add to a timer (the conformance list has the same figure). */
const slackMs = 150
/** Both may answer for so long while one leaves on purpose. */
const mostOverlapMs = 50

const results = new Map<string, Partial<Record<EventName, string>>>()

vi.setConfig({ maxConcurrency: 10 })

type World = {
  readonly made: Lab
  readonly mode: Mode
  readonly role: Role
  readonly holding: Holding
  readonly first: Member
  readonly second: Member
  start(member: Member): Promise<RouterProcess>
  /** Everything that was ever started. */
  readonly agents: AgentProcess[]
  readonly others: RouterProcess[]
}

async function createWorld(made: Lab, mode: Mode, role: Role): Promise<World> {
  const [first, second] = [
    { node: 'n1', priority: 200, self: made.addressOf('n1'), other: made.addressOf('n2') },
    { node: 'n2', priority: 100, self: made.addressOf('n2'), other: made.addressOf('n1') },
  ]
  const ours = role === 'we' ? first : second
  const [agents, others]: [AgentProcess[], RouterProcess[]] = [[], []]
  const start = async (member: Member): Promise<RouterProcess> => {
    if (member === ours) {
      const agent = await startAgent(made, member.node, { services: { web: serviceOf(mode, member) } })
      agents.push(agent)
      return agent
    }
    const other = await mode.theirs(made, member)
    others.push(other)
    return other
  }
  return { made, mode, role, holding: await watchHolding(made, mode.address), first, second, start, agents, others }
}

/** Exactly this one holds it, and goes on doing so for longer than the other would bear its silence. */
async function untilAtRest({ holding, mode, second }: World, holder: Member): Promise<void> {
  await holding.until([holder.node])
  const change = await holding.change(Math.max(300, downMs(mode, second.priority) + mode.intervalMs))
  if (change === undefined) return
  throw new Error(`[${holding.now()}] hold it, where [${holder.node}] did and nothing had happened`)
}

type Expected = {
  /** When the event was. */
  readonly from: number
  readonly boundMs: number
  /** Both may hold it for so long. */
  readonly mostOverlapMs?: number
  /** Since when that counts; default: from the event on. */
  readonly apartFrom?: number
}

/** From an event on: `taker` comes to hold it alone, within the bound, and stays; how it went. */
async function takenOver(world: World, taker: Member, expected: Expected): Promise<string> {
  const { from, boundMs, mostOverlapMs = Number.POSITIVE_INFINITY, apartFrom = from } = expected
  await world.holding.until([taker.node])
  const after = world.holding.since(taker.node) - from
  if (after > boundMs) throw new Error(`${taker.node} took over after ${Math.round(after)} ms; the bound is ${boundMs}`)
  await untilAtRest(world, taker)
  const overlap = world.holding.overlapMs(apartFrom)
  if (overlap > mostOverlapMs) throw new Error(`both held it for ${Math.round(overlap)} ms`)
  return `${Math.max(0, Math.round(after))} ms (≤ ${boundMs}), both ${Math.round(overlap)} ms`
}

async function play(world: World, tell: (event: EventName, result: string) => void): Promise<void> {
  const { made, mode, holding, first, second, start } = world
  const down = (member: Member): number => Math.ceil(downMs(mode, member.priority)) + slackMs
  const cell = async (event: EventName, act: () => Promise<string>): Promise<void> => {
    await told(world, event, async () => tell(event, await act()))
  }
  const active = await start(first)
  await told(world, 'start', async () => {
    await holding.until([first.node])
    const backup = await start(second)
    await backup.untilState('backup')
    await untilAtRest(world, first)
  })

  await cell('cable out', async () =>
    takenOver(world, second, { from: await made.cableOut(first.node), boundMs: down(second) }),
  )
  await cell('cable in', async () =>
    takenOver(world, first, { from: await made.cableIn(first.node), boundMs: down(first) }),
  )
  await cell('stop', async () => {
    const from = nowMs()
    const code = await active.stop()
    if (code !== 0) throw new Error(`it ended with ${code}`)
    const boundMs = Math.ceil(skewMs(mode, second.priority)) + slackMs
    const most = noteOf(mode, world.role, 'stop')?.mostOverlapMs ?? mostOverlapMs
    return takenOver(world, second, { from, boundMs, mostOverlapMs: most })
  })
  const again = await start(first)
  await told(world, 'start again', () => untilAtRest(world, first))
  // Now as well as at the end, since a killed agent cannot be asked.
  await expectUnderstood(world)
  await cell('kill', async () => {
    // All its processes at once: one that saw another end could still resign.
    again.freeze()
    const from = nowMs()
    const [apartFrom] = await Promise.all([made.cableOut(first.node), again.kill()])
    return takenOver(world, second, { from, boundMs: down(second), apartFrom })
  })
  await expectUnderstood(world)
}

/** An error in what is done says when, and all that led to it. */
async function told(world: World, what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : error}\n${story(world)}`)
  }
}

/** What everybody said last, and who held the address, in the order in which it happened. */
function story({ agents, others, holding }: World): string {
  const said = [...agents, ...others].flatMap(({ node, log }) =>
    log
      .filter(({ text }) => !/Adver_Timer|Received VRRP|Refusing to start/.test(text))
      .map(({ at, text }) => ({ at, text: `${node} ${text}` })),
  )
  const held = holding.changes.map(({ at, nodes }) => ({ at, text: `held by [${nodes.join(', ')}]` }))
  const lines = [...said, ...held].sort((a, b) => a.at - b.at).slice(-40)
  return lines.map(({ at, text }) => `  ${Math.round(at - nowMs())} ms ${text.slice(0, 200)}`).join('\n')
}

/** Neither has discarded anything of the other's, nor heard an interval or address list that is not its own. */
async function expectUnderstood({ agents, others }: World): Promise<void> {
  const complaints = [
    ...others.flatMap(({ log }) =>
      log.filter(({ text }) => /invalid|mismatch|differ/i.test(text)).map(({ text }) => text),
    ),
    ...agents.flatMap((agent) =>
      agent
        .events()
        .filter(({ event }) => event === 'odd')
        .map((event) => JSON.stringify(event)),
    ),
  ]
  for (const agent of agents.filter(({ program }) => isRunning(program.pid))) {
    const { discards } = await statusOf(agent)
    const counted = Object.entries(discards.eth0!).filter(([, count]) => count > 0)
    complaints.push(...counted.map(([reason, count]) => `${agent.node} discarded ${count}: ${reason}`))
  }
  if (complaints.length > 0) throw new Error(`not understood:\n${complaints.slice(0, 10).join('\n')}`)
}

const slowestFirst = modes.toSorted((a, b) => b.intervalMs - a.intervalMs)
const timedLab = repeatedWhenHeldUp(lab)
const atOnce = { ...timedLab, options: { ...timedLab.options, concurrent: true } }
const peers: readonly (readonly [Mode['peer'], Requirement])[] = [
  ['FRR 8.4', frr],
  ['keepalived 2.2.7', keepalived],
]

for (const [peer, requirement] of peers) {
  describeWith(bothOf(atOnce, requirement), `interop with ${peer}`, () => {
    for (const mode of slowestFirst.filter((each) => each.peer === peer)) {
      for (const role of roles) {
        test(`${mode.name}: ${role} start active`, async () => {
          // T-61 to T-63, T-65 to T-68, T-70, T-71: one mode each.
          const cells: Partial<Record<EventName, string>> = {}
          results.set(rowOf(mode, role), cells)
          await using made = await createLab({ nodes: ['n1', 'n2'], client: false })
          await play(await createWorld(made, mode, role), (event, result) => {
            cells[event] = result
          })
        })
      }
    }
  })
}

afterAll(async () => {
  if (process.env.HOLDFAST_WRITE_INTEROP !== '1') return
  await writeFile(join(import.meta.dirname, 'INTEROP.md'), interopTable(results))
})
