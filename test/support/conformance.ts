/** One agent with many virtual routers at once, each the subject of one case of the conformance list; its rivals are frames. */
import { expect } from 'vitest'
import { type AgentProcess, startAgent } from '../../infra/lab/agent.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { statusOf, transitionsOf, until } from './agents.ts'
import type { Frame, Tap } from './tap.ts'
import { type DatagramChanges, datagramOf } from './vrrp.ts'

export const rival = { ipv4: '10.77.0.77', ipv6: 'fe80::8000:0:0:1' } as const
export const own = '10.77.0.1'
/** Tolerances of the list on a machine with two processors that others use too. */
export const slackMs = { late: 150, atOnce: 150 } as const

export const vipsFor = (vrid: number) =>
  ({ ipv4: [`10.77.1.${vrid}`], ipv6: [`fe80::${vrid}`, `fd77::${vrid}`] }) as const

/** What an agent's configuration says of a router; default: version 3, priority 100, an advertisement each second. */
export type Subject = {
  readonly vrid: number
  readonly family?: 'ipv4' | 'ipv6'
  readonly service?: Readonly<Record<string, unknown>>
}

export const nameOf = ({ vrid, family = 'ipv4' }: Subject): string => `${family === 'ipv4' ? 'r' : 'six'}${vrid}`

export async function startSubjects(lab: Lab, subjects: readonly Subject[]): Promise<AgentProcess> {
  const services = subjects.map((subject) => {
    const { vrid, family = 'ipv4', service } = subject
    const addresses = vipsFor(vrid)[family].map((vip) => `${vip}/${family === 'ipv4' ? 32 : 64}`)
    return [nameOf(subject), { interface: 'eth0', vrid, priority: 100, addresses, interval: '1s', ...service }] as const
  })
  return startAgent(lab, 'n1', { services: Object.fromEntries(services) })
}

/** A rival's advertisement to a subject: of priority 200, and all else as the subject has it. */
export function heardBy({ vrid, family = 'ipv4' }: Subject, changes: DatagramChanges = {}): Uint8Array {
  return datagramOf({ source: rival[family], vrid, priority: 200, addresses: vipsFor(vrid)[family], ...changes })
}

export const isOf = (subject: Subject) => (frame: Frame) =>
  frame.kind === 'vrrp' &&
  frame.header.vrid === subject.vrid &&
  (subject.family === 'ipv6' ? frame.source.startsWith('fe80') : frame.source === own)

/** All that the subject has advertised since `from`. */
export const sentBy = (tap: Tap, subject: Subject, from = 0) => tap.frames.slice(from).filter(isOf(subject))

export const prioritiesOf = (frames: readonly Frame[]): number[] =>
  frames.map((frame) => (frame.kind === 'vrrp' ? frame.header.priority : -1))

/** When each was told to start; all of them by one process, one after the other. */
export async function startedAt(agent: AgentProcess, subject: Subject): Promise<number> {
  const { at } = await agent.untilEvent(({ event, service, to }) => {
    return event === 'state' && service === nameOf(subject) && to === 'backup'
  })
  return at
}

export function expectWithin(name: string, actual: number, [least, most]: readonly [number, number]): void {
  expect(actual, `${name}: ${Math.round(actual)} ms, of ${least} to ${most}`).toBeGreaterThanOrEqual(least)
  expect(actual, `${name}: ${Math.round(actual)} ms, of ${least} to ${most}`).toBeLessThanOrEqual(most)
}

/** A timer that starts when we hear of it, which may be a moment after it did. */
export const timer = (ms: number): readonly [number, number] => [ms - 100, ms + slackMs.late]

/** Such as `backup active`. */
export const lifeOf = (agent: AgentProcess, subject: Subject): string =>
  transitionsOf(agent, nameOf(subject))
    .map((each) => each.split(' ')[2])
    .join(' ')

/** Counters are up to a second old. */
export async function untilCounted(agent: AgentProcess, wanted: Readonly<Record<string, number>>): Promise<void> {
  const counters = async () => {
    const all = Object.entries({ ...(await statusOf(agent)).discards.eth0 })
    return Object.fromEntries(all.filter(([, count]) => count > 0))
  }
  const total = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0)
  await until(async () => total(await counters()) >= total(wanted), 'all are counted', 5_000).catch(() => {})
  expect(await counters()).toEqual(wanted)
}
