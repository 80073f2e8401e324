/** A lab with agents as most lab tests want it: two nodes, one service, an advertisement each 100 ms. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { type AgentConfig, type AgentProcess, startAgent } from '../../infra/lab/agent.ts'
import { familyOf } from '../../infra/lab/program.ts'
import { createLab, type Lab, type LabOptions } from '../../infra/lab/topology.ts'
import type { AgentStatus } from '../../node-agent/status.ts'

export const vip = '10.77.0.50'

/** Lives until the test is finished. */
export async function labFor(options: LabOptions = { nodes: ['n1', 'n2'] }): Promise<Lab> {
  const made = await createLab(options)
  onTestFinished(() => made[Symbol.asyncDispose]())
  return made
}

type Service = Readonly<Record<string, unknown>>

export function webService(service: Service = {}): Service {
  return { interface: 'eth0', vrid: 51, priority: 200, addresses: [`${vip}/24`], interval: '100ms', ...service }
}

export function startWeb(lab: Lab, node: string, service: Service = {}, config: Partial<AgentConfig> = {}) {
  return startAgent(lab, node, { ...config, services: { web: webService(service) } })
}

export type Pair = {
  readonly made: Lab
  readonly n1: AgentProcess
  readonly n2: AgentProcess
  /** The changes of an agent's state since the pair was settled; which of the two was active first is chance. */
  since(agent: AgentProcess): string[]
}

/** n1 with priority 200 is active, n2 with 100 its backup. */
export async function agentPair(services: { n1?: Service; n2?: Service } = {}): Promise<Pair> {
  const made = await labFor()
  const [n1, n2] = await Promise.all([
    startWeb(made, 'n1', services.n1),
    startWeb(made, 'n2', { priority: 100, ...services.n2 }),
  ])
  await n2.untilEvent(({ event }) => event === 'state')
  await n1.untilState('active')
  await n2.untilState('backup')
  await made.untilHeldBy(vip, ['n1'])
  const before = new Map([n1, n2].map((agent) => [agent, transitionsOf(agent).length]))
  return { made, n1, n2, since: (agent) => transitionsOf(agent).slice(before.get(agent)) }
}

/** Polls where no event tells. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, deadlineMs = 15_000): Promise<void> {
  for (const end = Date.now() + deadlineMs; !(await holds()); await sleep(10)) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
  }
}

export async function statusOf(agent: AgentProcess): Promise<AgentStatus> {
  return (await agent.status()) as AgentStatus
}

/** The VRRP process, as this machine sees it. */
export function vrrpPid(agent: AgentProcess): number {
  const [, child] = familyOf(agent.program.pid)
  if (child === undefined) throw new Error(`the agent on ${agent.node} has no VRRP process`)
  return child
}

/** Every change of a service's state so far, such as `backup to active (active down)`. */
export function transitionsOf(agent: AgentProcess, service = 'web'): string[] {
  return agent
    .events()
    .filter((event) => event.event === 'state' && event.service === service)
    .map(({ from, to, reason }) => `${from} to ${to} (${reason})`)
}

/** At rest: after four intervals more the same nodes have the address, and every agent says the same as the kernel. */
export async function expectAtRest(
  lab: Lab,
  options: { address?: string; service?: string; holder: string | undefined; agents: readonly AgentProcess[] },
): Promise<void> {
  const { address = vip, service = 'web', holder, agents } = options
  const holders = holder === undefined ? [] : [holder]
  await lab.untilHeldBy(address, holders)
  await sleep(450)
  expect(await lab.holdersOf(address)).toEqual(holders)
  for (const agent of agents) {
    expect(`${agent.node} ${agent.state(service)}`).toBe(`${agent.node} ${agent.node === holder ? 'active' : 'backup'}`)
  }
}
