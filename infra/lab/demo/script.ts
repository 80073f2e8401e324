/**
 * What the demo does, step by step, and what it saw: each step with its time, and whether it held.
 *
 * Nothing is taken on trust. Who holds the address is read from the interfaces, where the Elastic IP is from the
 * cloud, and what was lost from a client that asks a thousand times a second.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentEvent } from '../agent.ts'
import { nowMs } from '../clock.ts'
import type { ProbeReport } from '../probe-record.ts'
import { interfaces, operatorToken, virtualAddress, type World } from './world.ts'

/** `atMs`: since the demo began. */
export type Step = {
  readonly name: string
  readonly atMs: number
  readonly held: boolean
  readonly text: string
  readonly [detail: string]: unknown
}

export type DemoResult = {
  readonly held: boolean
  readonly steps: readonly Step[]
  /** From the client's last answer before the cable was cut, in milliseconds. */
  readonly crash: { readonly outageMs: number; readonly lost: number; readonly lanMs: number; readonly cloudMs: number }
  readonly failback: { readonly lost: number }
  readonly switchover: { readonly lost: number }
  readonly processKill: { readonly lost: number; readonly outageMs: number }
}

type Script = {
  readonly world: World
  /** Notes a step; `at` is milliseconds of the wall clock, by default now. */
  readonly note: (
    name: string,
    held: boolean,
    text: string,
    detail?: Readonly<Record<string, unknown>>,
    at?: number,
  ) => void
}

type Node = keyof typeof interfaces

export async function playDemo(world: World, startedAt: number, onStep: (step: Step) => void): Promise<DemoResult> {
  const steps: Step[] = []
  const script: Script = {
    world,
    note(name, held, text, detail = {}, at = Date.now()) {
      const step = { name, atMs: Math.round(at - startedAt), held, text, ...detail }
      steps.push(step)
      onStep(step)
    },
  }
  await bringUp(script)
  const crash = await cutCable(script)
  const failback = await plugBack(script)
  const switchover = await switchOver(script)
  const processKill = await killProcess(script)
  return { held: steps.every(({ held }) => held), steps, crash, failback, switchover, processKill }
}

async function bringUp({ world, note }: Script): Promise<void> {
  await settledAt(world, 'n1')
  await world.prober.answered()
  note('service up', true, `${virtualAddress} is on n1, the Elastic IP at ${interfaces.n1}, the client is answered`)
}

async function cutCable(script: Script): Promise<DemoResult['crash']> {
  const { world, note } = script
  const since = await lastEventId(world)
  await markQuiet(world)
  const before = Date.now()
  await world.lab.cableOut('n1')
  await settledAt(world, 'n2')
  const report = await world.prober.report()
  const { lost, longestOutageMs: outageMs } = report
  const recovered = world.probes.findLast((event) => event.event === 'recovered')
  const answeredAt = recovered === undefined ? Number.NaN : wallTime(recovered.at)

  // The client's last answer is the moment at which the cable was cut, whatever our own clock says of the command.
  const cutAt = outageStart(report) ?? before
  const from = (at: number): number => Math.max(0, Math.round(at - cutAt))
  const active = eventAfter(
    world.agents.n2.events(),
    before,
    (event) => event.event === 'state' && event.to === 'active',
  )
  const announced = eventAfter(world.agents.n2.events(), before, ({ event }) => event === 'announced')
  const moved = world.moves.find(({ at, networkInterfaceId }) => at >= before && networkInterfaceId === interfaces.n2)
  const audit = await eventsSince(world, since)
  const owned = audit.find(({ kind, node }) => kind === 'owner-changed' && node === 'n2')
  const settled = audit.findLast(({ kind }) => kind === 'binding-settled')
  const lanMs = from(active ?? Number.NaN)
  const cloudMs = from(Date.parse(settled?.at ?? ''))

  note('cable cut', true, 'n1 loses its cable', { afterMs: 0 }, cutAt)
  note('active on n2', active !== undefined, 'n2 is active', { afterMs: lanMs }, active)
  note(
    'gratuitous ARP',
    announced !== undefined,
    'n2 told everybody where the address is',
    { afterMs: from(announced ?? Number.NaN) },
    announced,
  )
  note(
    'client',
    lost > 0,
    `the client is answered again: ${lost} probes lost in ${Math.round(outageMs)} ms`,
    { afterMs: from(answeredAt), lost, outageMs },
    answeredAt,
  )
  note(
    'epoch',
    owned !== undefined,
    `control: ${owned?.text ?? 'no decision'}`,
    { afterMs: from(Date.parse(owned?.at ?? '')), epoch: owned?.epoch },
    Date.parse(owned?.at ?? ''),
  )
  note(
    'EIP associated',
    moved !== undefined,
    `the cloud moved the Elastic IP to ${interfaces.n2}`,
    { afterMs: from(moved?.at ?? Number.NaN) },
    moved?.at,
  )
  note(
    'EIP verified',
    settled !== undefined,
    'control read it back: settled',
    { afterMs: cloudMs },
    Date.parse(settled?.at ?? ''),
  )
  return { outageMs, lost, lanMs, cloudMs }
}

async function plugBack({ world, note }: Script): Promise<DemoResult['failback']> {
  await markQuiet(world)
  await world.lab.cableIn('n1')
  note('cable back', true, 'n1 gets its cable back, and takes over again by its priority')
  await settledAt(world, 'n1')
  const { lost } = await world.prober.report()
  note('failback', lost === 0, `${virtualAddress} is on n1, the Elastic IP follows; ${lost} probes lost`, { lost })
  return { lost }
}

async function switchOver({ world, note }: Script): Promise<DemoResult['switchover']> {
  await markQuiet(world)
  const { operation } = (await ask(world, 'POST', '/v1/services/web/switchover', { to: 'n2', reason: 'demo' })) as {
    operation: Operation
  }
  const done = (await ask(world, 'GET', `/v1/operations/${operation.id}?wait=20s`)) as Operation
  await settledAt(world, 'n2')
  const { lost } = await world.prober.report()
  const held = done.status === 'done' && lost === 0
  note('planned switchover', held, `to n2 on request: ${done.failure ?? done.status}; ${lost} probes lost`, {
    lost,
    status: done.status,
  })
  return { lost }
}

type Operation = { readonly id: string; readonly status: string; readonly failure: string | null }

async function killProcess({ world, note }: Script): Promise<DemoResult['processKill']> {
  await markQuiet(world)
  const before = Date.now()
  world.agents.n2.killVrrp()
  note('VRRP process killed', true, 'SIGKILL to the VRRP process of n2, which is active')
  const restarted = await world.agents.n2.untilEvent(
    ({ event, time }) => event === 'vrrp-started' && Date.parse(String(time)) >= before,
  )
  note('VRRP process restarted', true, 'its supervisor started it again', {}, Date.parse(String(restarted.time)))
  await settledAt(world, 'n1')
  const { lost, longestOutageMs: outageMs } = await world.prober.report()
  note('recovered', true, `n1 took over, the Elastic IP follows; ${lost} probes lost`, { lost, outageMs })
  return { lost, outageMs }
}

/** The address is on exactly this node, control has settled there, and so has the cloud. Throws with what is not so. */
async function settledAt(world: World, node: Node): Promise<void> {
  const deadline = nowMs() + 30_000
  for (;;) {
    const view = (await ask(world, 'GET', '/v1/services/web')) as { phase: string; owner: { node: string } | null }
    if (view.phase === 'settled' && view.owner?.node === node) break
    if (nowMs() > deadline)
      throw new Error(
        `after 30 s the service is ${view.phase} at ${view.owner?.node ?? 'nobody'}, not settled at ${node}`,
      )
    await sleep(10)
  }
  await world.lab.untilHeldBy(virtualAddress, [node])
  const at = world.moves.at(-1)?.networkInterfaceId
  if (at !== interfaces[node])
    throw new Error(`control calls it settled, and the Elastic IP is at ${at}, not at ${interfaces[node]}`)
}

/** What follows is counted anew, from a moment at which the client is answered. */
async function markQuiet(world: World): Promise<void> {
  world.prober.mark()
  const deadline = nowMs() + 10_000
  for (;;) {
    await sleep(200)
    const { lost } = await world.prober.report()
    world.prober.mark()
    if (lost === 0) return
    if (nowMs() > deadline) throw new Error('the client loses probes although nothing is wrong')
  }
}

/** An instant of `nowMs` on the wall clock. */
function wallTime(instant: number): number {
  return instant - nowMs() + Date.now()
}

/** When the longest outage began, on the wall clock. */
function outageStart({ outages }: ProbeReport): number | undefined {
  const longest = outages.toSorted((a, b) => b.lost - a.lost)[0]
  return longest === undefined ? undefined : wallTime(longest.fromMs)
}

function eventAfter(
  events: readonly AgentEvent[],
  after: number,
  fits: (event: AgentEvent) => boolean,
): number | undefined {
  const found = events.find((event) => Date.parse(String(event.happenedAt)) >= after && fits(event))
  return found === undefined ? undefined : Date.parse(String(found.happenedAt))
}

type AuditLine = {
  readonly id: number
  readonly at: string
  readonly kind: string
  readonly node: string | null
  readonly epoch: number | null
  readonly text: string
}

async function eventsSince(world: World, since: number): Promise<AuditLine[]> {
  return ((await ask(world, 'GET', `/v1/events?since=${since}`)) as { events: AuditLine[] }).events
}

async function lastEventId(world: World): Promise<number> {
  return (await eventsSince(world, 0)).at(-1)?.id ?? 0
}

async function ask({ control }: World, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${control.outsideUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  })
  if (!response.ok) throw new Error(`${method} ${path}: control answered ${response.status} ${await response.text()}`)
  return response.json()
}
