/**
 * One round of the cloud bench: a fresh lab with a strict EC2, a pair of routers, the active one goes, and when that
 * was on the wire and at EC2.
 *
 *   n2's first advertisement, as the client's tap reads it ──▶ AssociateAddress at EC2
 *
 * All instants are of one clock. Holdfast's way is agent, control, EC2; keepalived's is its notify_master script with the
 * AWS CLI, on the node.
 */
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startAgent } from '../../infra/lab/agent.ts'
import { labCredentials } from '../../infra/lab/clouds/ec2.ts'
import { type ControlProcess, startControl } from '../../infra/lab/control.ts'
import { startKeepalived } from '../../infra/lab/keepalived.ts'
import { createLog, type RouterProcess } from '../../infra/lab/router-process.ts'
import { createLab, type Lab } from '../../infra/lab/topology.ts'
import { startTap } from '../support/tap.ts'
import type { Ec2Line } from './cloud-ec2-main.ts'

export type Program = 'holdfast' | 'keepalived'

/** `stop`: SIGTERM. `kill`: its processes die, its machine lives. `cable`: nobody hears anything of it any more. */
export type Event = 'stop' | 'kill' | 'cable'

export type Round = {
  readonly program: Program
  readonly event: Event
  /** Of the advertisement interval at which it happens, from 0 to 1. */
  readonly phase: number
  /** The AWS CLI. */
  readonly aws: string
}

/** Milliseconds since n2's first advertisement was read. */
export type RoundResult = {
  readonly associateMs: number
  /** Whether AssociateAddress came over a connection from before the event. */
  readonly warm: boolean
  /**
   * From the first sign that control had of it until it decided, by its own clock: only where that sign is n2's report,
   * so that it is what control waited for the former owner. Otherwise, and where there is no control, null.
   */
  readonly confirmMs: number | null
}

const intervalMs = 100
const vip = '10.77.0.50'
const endpoint = 'http://10.77.0.9:5000'
const allocationId = 'eipalloc-1'
const region = 'eu-west-1'
const places = {
  n1: { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.11' },
  n2: { networkInterfaceId: 'eni-2', privateIpAddress: '10.0.0.12' },
} as const
const credentials = {
  AWS_ACCESS_KEY_ID: labCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: labCredentials.secretAccessKey,
}
const token = (name: string): string => `bench-${name}-0123456789`

export async function cloudRound(round: Round): Promise<RoundResult> {
  await using lab = await createLab({ nodes: ['n1', 'n2'] })
  const cloud = await startEc2(lab)
  const tap = await startTap(lab)
  await using routers = await starters[round.program](lab, round)
  await cloud.untilMovedTo('n1')
  await routers.settled()
  await sleep(500 + round.phase * intervalMs)
  const [seen, asked] = [tap.frames.length, cloud.requests.length]
  const saidBefore = cloud.said()
  const before = Math.max(...cloud.requests.map(({ at }) => at))
  await happen[round.event](lab, routers.n1)
  const advert = await tap.until((frame) => frame.kind === 'vrrp' && frame.source === '10.77.0.2', { from: seen })
  await cloud.untilAsked('AssociateAddress', saidBefore)
  const associate = cloud.requests.slice(asked).find(({ action }) => action === 'AssociateAddress')
  if (associate === undefined) throw new Error('EC2 has heard no AssociateAddress')
  return {
    associateMs: associate.at - advert.at,
    warm: associate.openedAt <= before,
    confirmMs: round.event === 'cable' ? await routers.decideMs() : null,
  }
}

const happen: Readonly<Record<Event, (lab: Lab, n1: RouterProcess) => Promise<unknown>>> = {
  // Its end is not awaited: what follows is what is measured.
  stop: async (_, n1) => n1.program.signal('SIGTERM'),
  kill: (_, n1) => n1.kill(),
  cable: (lab) => lab.cableOut('n1'),
}

type Request = Extract<Ec2Line, { readonly action: string }>

async function startEc2(lab: Lab) {
  const world = {
    addresses: [{ allocationId, publicIp: '198.51.100.7' }],
    interfaces: Object.entries(places).map(([node, { networkInterfaceId, privateIpAddress }]) => {
      return { networkInterfaceId, instanceId: `i-${node}`, privateIpAddresses: [privateIpAddress] }
    }),
  }
  const requests: Request[] = []
  const log = createLog("the bench's EC2")
  const program = await lab.spawn(
    process.execPath,
    [join(import.meta.dirname, 'cloud-ec2-main.ts'), '--listen', '10.77.0.9:5000', '--world', JSON.stringify(world)],
    {
      onLine: (text, stream) => {
        const line = stream === 'stdout' ? (JSON.parse(text) as Ec2Line) : undefined
        if (line !== undefined && 'action' in line) requests.push(line)
        if (line !== undefined && 'movedTo' in line) log.add(`moved to ${line.movedTo}`)
        else log.add(line !== undefined && 'action' in line ? line.action : text)
      },
    },
  )
  void program.exited.then((code) => log.end(`ended with ${code}`))
  await log.until(({ text }) => text.includes('listening'), 30_000)
  return {
    requests,
    /** How many lines there were, to look from there on. */
    said: () => log.lines.length,
    untilAsked: (action: string, from: number) => log.until(({ text }) => text === action, 30_000, from),
    untilMovedTo: (node: keyof typeof places) =>
      log.until(({ text }) => text === `moved to ${places[node].networkInterfaceId}`, 30_000),
  }
}

type Routers = {
  readonly n1: RouterProcess
  settled(): Promise<void>
  decideMs(): Promise<number | null>
  [Symbol.asyncDispose](): Promise<void>
}

const starters: Readonly<Record<Program, (lab: Lab, round: Round) => Promise<Routers>>> = {
  holdfast: async (lab) => {
    const control = await startControl(lab, { config: controlConfig(), env: credentials })
    const start = (node: string, priority: number) =>
      startAgent(lab, node, {
        control: { url: control.url, token: token(node) },
        services: {
          web: { interface: 'eth0', vrid: 51, priority, addresses: [`${vip}/24`], interval: `${intervalMs}ms` },
        },
      })
    const n1 = await inTurn(lab, start)
    return {
      n1,
      settled: () => untilSettled(control),
      decideMs: () => decideMsOf(control),
      // Its relay is this process's own, and would outlive the lab.
      [Symbol.asyncDispose]: () => control.kill(),
    }
  },
  keepalived: async (lab, { aws }) => {
    const start = async (node: keyof typeof places, priority: number) => {
      const script = join(lab.folder, `notify-${node}.sh`)
      await writeFile(script, notifyScript(aws, node))
      await chmod(script, 0o755)
      return startKeepalived(lab, node, {
        ...{ priority, intervalMs, addresses: [`${vip}/24`], tuned: true },
        globals: ['script_user root'],
        extra: [`notify_master ${script}`],
      })
    }
    const n1 = await inTurn(lab, start)
    return {
      n1,
      settled: async () => undefined,
      decideMs: async () => null,
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
}

/** One after the other: were n2 active for a moment at the start, keepalived's scripts of both would run at once. */
async function inTurn(
  lab: Lab,
  start: (node: keyof typeof places, priority: number) => Promise<RouterProcess>,
): Promise<RouterProcess> {
  const n1 = await start('n1', 200)
  await n1.untilState('active')
  const n2 = await start('n2', 100)
  await n2.untilState('backup')
  await lab.untilHeldBy(vip, ['n1'])
  return n1
}

function controlConfig() {
  const config = { region, allocationId, endpoint }
  return {
    tokens: [
      { name: 'ops', role: 'operator', token: token('ops') },
      ...['n1', 'n2'].map((node) => ({ name: node, role: 'node', node, token: token(node) })),
    ],
    services: { web: { bindings: [{ name: 'eip', adapter: 'aws-eip', config, targets: places }] } },
  }
}

/** As such scripts are written: one call, unconditional. */
function notifyScript(aws: string, node: keyof typeof places): string {
  const { networkInterfaceId, privateIpAddress } = places[node]
  return [
    '#!/bin/sh',
    ...Object.entries(credentials).map(([name, value]) => `export ${name}=${value}`),
    `exec ${aws} ec2 associate-address --region ${region} --endpoint-url ${endpoint} --allocation-id ${allocationId} \\`,
    `  --network-interface-id ${networkInterfaceId} --private-ip-address ${privateIpAddress} --allow-reassociation`,
    '',
  ].join('\n')
}

async function ask<Body>(control: ControlProcess, path: string): Promise<Body> {
  const response = await fetch(`${control.outsideUrl}${path}`, { headers: { authorization: `Bearer ${token('ops')}` } })
  return (await response.json()) as Body
}

type ServiceAnswer = { phase: string; owner: { node: string } | null; members: { connected: boolean }[] }

async function untilSettled(control: ControlProcess): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const { phase, owner, members } = await ask<ServiceAnswer>(control, '/v1/services/web')
    if (phase === 'settled' && owner?.node === 'n1' && members.filter(({ connected }) => connected).length === 2) return
    if (tries > 300) throw new Error('control does not know both nodes and their owner')
    await sleep(50)
  }
}

/** Of the newest move to n2, once it has ended. */
async function decideMsOf(control: ControlProcess): Promise<number | null> {
  type Answer = { operations: { to: string; report: { decideMs: number | null } | null }[] }
  for (let tries = 0; tries < 100; tries += 1) {
    const { operations } = await ask<Answer>(control, '/v1/operations?service=web&limit=1')
    const [last] = operations
    if (last?.to === 'n2' && last.report !== null) return last.report.decideMs
    await sleep(50)
  }
  return null
}
