/** The parts of the agent, and how each of them is wired to its supervisor. */
import { filtered, filterRules } from './accept-filter.ts'
import type { Health } from './checks/health.ts'
import type { Runner } from './checks/runner.ts'
import type { AgentConfig } from './config.ts'
import { type ControlLink, openControlLink } from './link/control-link.ts'
import { freshForMs } from './link/outbox.ts'
import { sinceBoot } from './linux/boot-clock.ts'
import type { Log } from './log.ts'
import { type LossWatch, watchLoss } from './loss-watch.ts'
import { runNft } from './nftables.ts'
import { type PeerServer, servePeers } from './peers.ts'
import type { FromVrrp } from './ports.ts'
import type { Supervisor } from './supervisor.ts'
import { startVrrpChild, type VrrpChild } from './vrrp-child.ts'

export type Agent = Parts & {
  config: AgentConfig
  readonly log: Log
  readonly incarnation: string
  readonly supervisor: Supervisor
  readonly healthOf: (check: string) => Health
}

export type Parts = {
  /** Undefined where the configuration names no control; so is `loss`. */
  link: ControlLink | undefined
  loss: LossWatch | undefined
  /** Undefined where all services are solo: then nothing here needs raw sockets, or root. */
  child: VrrpChild | undefined
  checks: Runner | undefined
  peers: PeerServer | undefined
  /** Hears what the VRRP process says, after the supervisor. */
  onVrrp?: ((message: FromVrrp) => void) | undefined
}

/** Whoever may have slept looks at its lease before it says anything, whatever wakes it. */
export function lookingFirst(supervisor: Supervisor, look: () => void): Supervisor {
  const first =
    <Heard extends unknown[]>(then: (...heard: Heard) => void) =>
    (...heard: Heard): void => {
      look()
      then(...heard)
    }
  const { pulse, hear, command } = supervisor
  return { ...supervisor, pulse: first(pulse), hear: first(hear), command: first(command) }
}

export function startVrrp(agent: Agent, onRefused: () => void): void {
  const { config, supervisor } = agent
  if (config.routers.length === 0) return
  const { configuration, hear, vrrpDied } = supervisor
  agent.child = startVrrpChild({
    configuration,
    onMessage(said) {
      hear(said)
      agent.onVrrp?.(said.message)
    },
    onDeath: vrrpDied,
    onRefused,
  })
}

export function linkToControl(agent: Agent): void {
  const { config, incarnation, supervisor, log } = agent
  const { node, site, control } = config
  agent.link =
    control &&
    openControlLink({
      control,
      identity: { node, site, incarnation },
      now: sinceBoot,
      onCommand: supervisor.command,
      onRefused({ service, why }) {
        log('warn', { event: 'service-refused', service, why, msg: `control does not hear of ${service}: ${why}` })
      },
      onChange(connected, why) {
        if (connected) {
          log('info', { event: 'control-connected', url: control.url, msg: 'connected to control' })
          // What is reported must be fresh, so those whom it is about are asked.
          supervisor.pulse()
        } else log('warn', { event: 'control-lost', url: control.url, why, msg: `no connection to control: ${why}` })
      },
    })
}

export function watchControl(agent: Agent): void {
  const { config, link, supervisor, log } = agent
  agent.loss =
    link &&
    watchLoss({
      config,
      log,
      now: sinceBoot,
      confirmedAt: link.confirmedAt,
      isActive: (service) => supervisor.services()[service]?.status.state === 'active',
      onLost: supervisor.controlLost,
      onServing: supervisor.judged,
    })
}

export function listenToPeers(agent: Agent): void {
  const { config, supervisor, log } = agent
  agent.peers = config.peers && servePeers(config.peers.listen, (service) => peerAnswer(supervisor, service), log)
}

function peerAnswer(supervisor: Supervisor, service: string) {
  const known = supervisor.services()[service]
  if (known === undefined) return 'absent'
  const { heardAt } = supervisor.vrrp()
  if (!known.solo && (heardAt === null || sinceBoot() - heardAt > freshForMs)) return 'unknown'
  return known.status.state === 'active' ? 'active' : 'free'
}

/** Null when the machine's packet filter is as the services need it; else why not, and what to do. */
export async function applyFilter(config: AgentConfig): Promise<string | null> {
  const problem = await runNft(filterRules(config))
  const needed = filtered(config)
  // Without nft, or the right to use it, there is nothing that a former agent could have left.
  if (problem === null || needed.length === 0) return null
  return `${needed.join(', ')} can’t be without nftables: ${problem}; or leave it out of the configuration`
}
