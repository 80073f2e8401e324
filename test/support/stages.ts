/** Stages for tests of a control that runs: a service each, with two scripted nodes that do what the LAN would do. */
import type { ControlProcess } from './control-process.ts'
import { createAgent, type ScriptedAgent } from './scripted-agent.ts'

/** The nodes of stages. */
export const nodesOf = (stages: readonly string[]): string[] => stages.flatMap((stage) => [`${stage}-1`, `${stage}-2`])

type Setting = {
  /** How many times as fast as this machine's the clock of control runs. */
  readonly speed?: number
  /** Of which only the first node ever reports. */
  readonly lonely?: readonly string[]
}

/**
 * The first node of each stage is active and its owner; whoever is told to take over does, and the other one follows.
 * Resolves, with the agents by their nodes, when control sees all of it.
 */
export async function setStages(
  control: ControlProcess,
  stages: readonly string[],
  { speed = 1, lonely = [] }: Setting = {},
): Promise<ReadonlyMap<string, ScriptedAgent>> {
  const agents = new Map<string, ScriptedAgent>()
  for (const stage of stages) {
    const first = createAgent({ node: `${stage}-1`, service: stage, priority: 200, speed })
    const second = createAgent({ node: `${stage}-2`, service: stage, priority: 100, speed })
    for (const [agent, other] of [
      [first, second],
      [second, first],
    ] as const) {
      agents.set(agent.node, agent)
      agent.onTakeOver = () => {
        agent.say('active')
        other.say('backup')
      }
    }
    await first.connect(control.url)
    first.say('active')
    if (lonely.includes(stage)) continue
    await second.connect(control.url)
    second.say('backup')
  }
  for (const stage of stages) await control.until(stage, { phase: 'settled', owner: { node: `${stage}-1` } })
  return agents
}
