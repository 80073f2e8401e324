/**
 * One round of the failover bench: a fresh lab, a pair of routers, one thing that happens, and what the client saw.
 *
 * Both programs get the same: a lab of their own, priorities 200 and 100, VRRPv3, one address, n1 active and settled,
 * a client that probes at 1 kHz. A crash happens at a phase of the advertisement interval that the caller chooses, since
 * the protocol's own wait differs by one whole interval between the two ends of it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { startAgent } from '../../infra/lab/agent.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import { startControl } from '../../infra/lab/control.ts'
import { startKeepalived } from '../../infra/lab/keepalived.ts'
import type { Prober } from '../../infra/lab/prober.ts'
import type { RouterProcess } from '../../infra/lab/router-process.ts'
import { createLab, type Lab } from '../../infra/lab/topology.ts'

export type Program = 'holdfast' | 'keepalived'

export type Round = {
  readonly program: Program
  readonly intervalMs: number
  readonly phase: number
  /** What they speak: version 3 over IPv4 where nothing else is said. */
  readonly speak?: keyof typeof words
}

/** What one event cost the client. */
export type Cost = { readonly outageMs: number; readonly lost: number }

/** The name of an event, and its cost. */
export type RoundResult = Readonly<Record<string, Cost>>

/** The address that the client asks, and all of the virtual router; of IPv6 the first is link-local. */
const words = {
  v3: { version: 3, vip: '10.77.0.50', addresses: ['10.77.0.50/24'] },
  v2: { version: 2, vip: '10.77.0.50', addresses: ['10.77.0.50/24'] },
  ipv6: { version: 3, vip: 'fd77::50', addresses: ['fe80::77:50/64', 'fd77::50/64'] },
} as const

const vipOf = ({ speak = 'v3' }: Round): string => words[speak].vip

/** The cable of the active node is pulled, and plugged in again when the backup has taken over. */
export async function crashRound(round: Round): Promise<RoundResult> {
  await using pair = await startPair(round)
  const { lab, n1, n2, prober } = pair
  prober.mark()
  await untilPhase(pair, round)
  await lab.cableOut('n1')
  await n2.untilState('active')
  await lab.untilHeldBy(vipOf(round), ['n2'])
  await sleep(graceMs)
  const crash = await costSince(prober, round)

  prober.mark()
  await lab.cableIn('n1')
  await n1.untilState('active')
  await n2.untilState('backup')
  await lab.untilHeldBy(vipOf(round), ['n1'])
  await sleep(graceMs)
  return { crash, failback: await costSince(prober, round) }
}

/** The active node's router is asked to end (SIGTERM), as an upgrade does. */
export async function stopRound(round: Round): Promise<RoundResult> {
  await using pair = await startPair(round)
  const { lab, n1, n2, prober } = pair
  prober.mark()
  await untilPhase(pair, round)
  await n1.stop()
  await n2.untilState('active')
  await lab.untilHeldBy(vipOf(round), ['n2'])
  await sleep(graceMs)
  return { 'graceful stop': await costSince(prober, round) }
}

/**
 * An operator moves the service with control's API. keepalived has no such command, so there is nothing beside it.
 * The clock runs from the request to the operation's end; what counts is what the client lost meanwhile.
 */
export async function switchoverRound(round: Round): Promise<RoundResult> {
  const token = (name: string, role: string, rest = {}) => ({ name, role, token: `bench-${name}-0123456789`, ...rest })
  await using lab = await createLab({ nodes: ['n1', 'n2'] })
  const control = await startControl(lab, {
    config: {
      tokens: [token('ops', 'operator'), token('n1', 'node', { node: 'n1' }), token('n2', 'node', { node: 'n2' })],
      services: { web: {} },
    },
  })
  await using pair = await startPair(round, lab, (node) => ({
    control: { url: control.url, token: token(node, 'node').token },
  }))
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token('ops', 'operator').token}`, 'content-type': 'application/json' }
    const response = await fetch(`${control.outsideUrl}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
  const known = async (): Promise<boolean> => {
    const { owner, members } = (await ask('GET', '/v1/services/web')) as ServiceAnswer
    return owner?.node === 'n1' && members.filter(({ connected }) => connected).length === 2
  }
  const deadline = nowMs() + 10_000
  while (!(await known())) {
    if (nowMs() > deadline) throw new Error('after 10 s control does not know both nodes and their owner')
    await sleep(50)
  }
  pair.prober.mark()
  await untilPhase(pair, round)
  const request = { to: 'n2', reason: 'bench' }
  const { operation } = (await ask('POST', '/v1/services/web/switchover', request)) as { operation: OperationAnswer }
  await pair.n2.untilState('active')
  await pair.n1.untilState('backup')
  await lab.untilHeldBy(vipOf(round), ['n2'])
  await sleep(graceMs)
  const last = (await ask('GET', `/v1/operations/${operation.id}?wait=10s`)) as OperationAnswer
  if (last.status !== 'done') throw new Error(`the switchover ended as ${last.status}: ${last.failure ?? ''}`)
  return { 'planned switchover': await costSince(pair.prober, round) }
}

type OperationAnswer = { readonly id: string; readonly status: string; readonly failure: string | null }
type ServiceAnswer = { readonly owner: { node: string } | null; readonly members: readonly { connected: boolean }[] }

/** How long we go on looking after everything has settled, for a loss that comes late. */
const graceMs = 300

type Pair = {
  readonly lab: Lab
  readonly n1: RouterProcess
  readonly n2: RouterProcess
  readonly prober: Prober
  /** When n1 sent its first advertisement: it says so in its log as it does. */
  readonly activeAt: number
  [Symbol.asyncDispose](): Promise<void>
}

async function startPair(
  round: Round,
  labGiven?: Lab,
  extra: (node: string) => Record<string, unknown> = () => ({}),
): Promise<Pair> {
  const { program, intervalMs, speak = 'v3' } = round
  const lab = labGiven ?? (await createLab({ nodes: ['n1', 'n2'] }))
  const vip = vipOf(round)
  try {
    if (speak === 'ipv6') await lab.run('ip', ['-n', 'client', 'addr', 'add', 'fd77::100/64', 'dev', 'eth0', 'nodad'])
    const start = (node: string, priority: number): Promise<RouterProcess> =>
      starters[program](lab, node, { priority, intervalMs, extra: extra(node), speak })
    const [n1, n2] = await Promise.all([start('n1', 200), start('n2', 100)])
    const activeAt = await n1.untilState('active')
    await n2.untilState('backup')
    await lab.untilHeldBy(vip, ['n1'])
    const prober = await lab.probe({ target: vip })
    await prober.answered()
    await sleep(Math.max(graceMs, intervalMs))
    return { lab, n1, n2, prober, activeAt, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() }
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

type Parameters = {
  readonly priority: number
  readonly intervalMs: number
  readonly extra: Record<string, unknown>
  readonly speak: keyof typeof words
}
type Start = (lab: Lab, node: string, parameters: Parameters) => Promise<RouterProcess>

/** Our agent runs in real time and with its memory locked by default; keepalived is told to. */
const starters: Readonly<Record<Program, Start>> = {
  holdfast: (lab, node, { priority, intervalMs, extra, speak }) => {
    const { version, addresses } = words[speak]
    const web = { interface: 'eth0', vrid: 51, priority, version, addresses, interval: `${intervalMs}ms` }
    return startAgent(lab, node, { ...extra, services: { web } })
  },
  keepalived: (lab, node, { priority, intervalMs, speak }) =>
    startKeepalived(lab, node, { priority, intervalMs, ...words[speak], tuned: true }),
}

/** `phase` 0 is right after an advertisement of n1, 1 right before the next. */
async function untilPhase({ activeAt }: Pair, { intervalMs, phase }: Round): Promise<void> {
  const now = nowMs() + commandMs
  const since = (now - activeAt) % intervalMs
  const wait = (phase * intervalMs - since + intervalMs) % intervalMs
  await sleep(wait)
}

/** What it takes to start the command that pulls a cable. */
const commandMs = 7

/** A round that measured this machine's other load and not the routers. */
export class HeldUp extends Error {
  override name = 'HeldUp' as const
}

/** A pause of the prober, or of the whole machine, may be a twentieth of what is measured. */
async function costSince(prober: Prober, { intervalMs }: Round): Promise<Cost> {
  const { longestOutageMs, lost, open, skipped } = await prober.report()
  if (open !== undefined) throw new Error(`the client still gets no answer, since ${nowMs() - open.fromMs} ms`)
  if (skipped > intervalMs / 20) throw new HeldUp(`the prober itself was held up for ${skipped} ms`)
  return { outageMs: longestOutageMs, lost }
}
