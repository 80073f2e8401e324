/**
 * Makes a running agent what a new configuration says: only what is different is touched.
 *
 * First what may fail, so that then nothing has changed; last the LAN's own process is waited for.
 */

import { filterRules } from './accept-filter.ts'
import type { Changes } from './config/changes.ts'
import type { AgentConfig } from './config.ts'
import { type Agent, applyFilter, linkToControl, listenToPeers, startVrrp, watchControl } from './parts.ts'
import type { SaidByVrrp } from './ports.ts'
import { ofCentiseconds } from './vrrp/time.ts'

/** How long the VRRP process may take to say that it runs by the new configuration. */
const confirmWithinMs = 5_000

/** Null when everything runs by it; else what does not. */
export async function applyChanges(agent: Agent, next: AgentConfig, changes: Changes): Promise<string | null> {
  const before = agent.config
  if (filterRules(before) !== filterRules(next)) {
    const problem = await applyFilter(next)
    if (problem !== null) return problem
  }
  agent.config = next
  const reconfigured = reconfigureVrrp(agent, before)
  agent.checks?.reconfigure(next.checks)
  if (changes.control) await reopenLink(agent)
  else agent.loss?.reconfigure(next)
  if (JSON.stringify(before.peers?.listen) !== JSON.stringify(next.peers?.listen)) {
    agent.peers?.close()
    listenToPeers(agent)
  }
  return reconfigured
}

async function reopenLink(agent: Agent): Promise<void> {
  agent.loss?.stop()
  agent.loss = undefined
  await agent.link?.close()
  linkToControl(agent)
  watchControl(agent)
  agent.supervisor.pulse()
}

/** The process runs while there is a router for it. */
async function reconfigureVrrp(agent: Agent, before: AgentConfig): Promise<string | null> {
  const { config, child, supervisor } = agent
  if (child === undefined) {
    supervisor.reconfigure(config)
    return config.routers.length === 0 ? null : await confirmed(agent, (said) => said.kind === 'started', startAnew)
  }
  if (config.routers.length > 0) {
    let id: string | null = null
    const answers = (said: SaidByVrrp['message']): boolean =>
      // One that has just been started again was configured with it.
      said.kind === 'started' || (said.kind === 'reconfigured' && said.id === id)
    return await confirmed(agent, answers, () => {
      id = supervisor.reconfigure(config)
      return id !== null
    })
  }
  supervisor.reconfigure(config)
  agent.child = undefined
  const polite = await child.stop(longestResignationMs(before))
  return polite ? null : 'the VRRP process did not resign in time and was killed'
}

/** It may be refused what it needs, which services that are solo need not suffer for. */
function startAnew(agent: Agent, refused: () => void): boolean {
  startVrrp(agent, () => {
    agent.child = undefined
    refused()
  })
  return true
}

/** Does it, and waits for the word of the VRRP process. `ask`: whether it was asked at all. */
async function confirmed(
  agent: Agent,
  fits: (said: SaidByVrrp['message']) => boolean,
  ask: (agent: Agent, refused: () => void) => boolean,
): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  agent.onVrrp = (said) => {
    if (fits(said)) resolve(null)
  }
  const late = `the VRRP process has not confirmed it within ${confirmWithinMs / 1_000} s: its log says what it does`
  const timer = setTimeout(() => resolve(late), confirmWithinMs)
  const asked = ask(agent, () => resolve('the VRRP process can’t run here: the agent’s log says why'))
  if (!asked) resolve(null)
  const problem = await promise
  clearTimeout(timer)
  agent.onVrrp = undefined
  return problem
}

/** The longest that a router waits for its successor, and the time of two slow processes to say so. */
export function longestResignationMs({ routers }: AgentConfig): number {
  const longest = Math.max(0, ...routers.map((router) => ofCentiseconds(router.advertisementInterval) / 1_000))
  return longest + 5_000
}
