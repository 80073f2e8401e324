/** An agent's file is changed, and the agent is told so. */
import { readFile, writeFile } from 'node:fs/promises'
import type { AgentConfig, AgentProcess } from '../../infra/lab/agent.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import type { ReloadOutcome } from '../../node-agent/reload.ts'
import { runHoldfast } from './control-process.ts'

/** What stands in the file instead; services by name, of which `undefined` takes one away. */
export async function rewrite(agent: AgentProcess, changes: Partial<AgentConfig>): Promise<void> {
  const before = JSON.parse(await readFile(agent.configFile, 'utf8')) as AgentConfig
  const services = { ...before.services, ...changes.services }
  await writeFile(agent.configFile, JSON.stringify({ ...before, ...changes, services }, undefined, 2))
}

export type Reloaded = { readonly code: number | string; readonly outcome: ReloadOutcome; readonly stderr: string }

/** `holdfast reload` after the change; not before the agent has started. */
export async function reload(agent: AgentProcess, changes: Partial<AgentConfig> = {}): Promise<Reloaded> {
  await agent.untilEvent(({ event }) => event === 'agent-started')
  await rewrite(agent, changes)
  const { code, stdout, stderr } = await runHoldfast(['reload', '--json', '--socket', agent.socket])
  return { code, outcome: JSON.parse(stdout) as ReloadOutcome, stderr }
}

/** What nft has of any agent on a node. */
export async function filterTables(lab: Lab, node: string): Promise<string[]> {
  const { stdout } = await lab.run('nft', ['list', 'tables'], { in: node })
  return stdout.split('\n').filter((line) => line.includes('holdfast-'))
}
