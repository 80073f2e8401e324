/**
 * The agent: starts what it consists of, and lets it leave politely.
 *
 *   control ◀── link ──┐
 *    checks ───────────┼── supervisor ══ pipe ══ vrrp-process ── the LAN
 *    peers ◀───────────┤
 *    status socket ────┘
 *
 * The LAN needs nothing of this process but its life: when it ends, the VRRP process resigns.
 */
import { randomUUID } from 'node:crypto'
import { heartbeatMs } from '../control/contract.ts'
import { unknownHealth } from './checks/health.ts'
import { type Runner, runChecks } from './checks/runner.ts'
import type { AgentConfig } from './config.ts'
import { type ControlLink, openControlLink } from './link/control-link.ts'
import { freshForMs } from './link/outbox.ts'
import { sinceBoot } from './linux/boot-clock.ts'
import type { Log } from './log.ts'
import { type LossWatch, watchLoss } from './loss-watch.ts'
import { statusOf } from './overview.ts'
import { servePeers } from './peers.ts'
import { serveStatus } from './status.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'
import { ofCentiseconds } from './vrrp/time.ts'
import { startVrrpChild, type VrrpChild } from './vrrp-child.ts'

/** Runs until `signal` aborts; resolves to the exit code. */
export async function runAgent(config: AgentConfig, log: Log, signal: AbortSignal): Promise<number> {
  const incarnation = randomUUID()
  // What the supervisor speaks through begins after it, since each of them hears it.
  let link: ControlLink | undefined
  let child: VrrpChild | undefined
  let checks: Runner | undefined
  let loss: LossWatch | undefined
  const healthOf = (check: string) => checks?.healthOf(check) ?? unknownHealth
  const plain = createSupervisor(config, {
    log,
    tellVrrp: (message) => child?.send(message),
    report: (services, occasion) => link?.report(services, occasion),
    result: (result) => link?.result(result),
    hurry: () => link?.hurry(),
    healthOf,
    now: sinceBoot,
  })
  const supervisor = lookingFirst(plain, () => loss?.look())
  const overview = () => ({
    ...{ config, incarnation, supervisor, healthOf },
    connected: link?.connected() ?? false,
    lease: loss?.lease() ?? 'none',
    vrrpPid: child?.pid() ?? null,
  })
  const status = await serveStatus(config.socket, () => statusOf(overview()))

  const refused = Promise.withResolvers<'refused'>()
  child = startVrrp(config, supervisor, () => refused.resolve('refused'))
  link = config.control === undefined ? undefined : linkToControl({ config, incarnation, supervisor, log })
  checks = runChecks(config.checks, supervisor.checked)
  loss = link === undefined ? undefined : watchControl({ config, link, supervisor, log })
  const peers = config.peers && servePeers(config.peers.listen, (service) => peerAnswer(supervisor, service), log)
  const pulse = setInterval(supervisor.pulse, heartbeatMs)
  log('info', { event: 'agent-started', incarnation, socket: config.socket, msg: `agent of ${config.node} started` })

  const why = await Promise.race([refused.promise, aborted(signal)])
  clearInterval(pulse)
  loss?.stop()
  checks.stop()
  const polite = (await child?.stop(longestResignationMs(config))) ?? true
  peers?.close()
  supervisor.stopped()
  await link?.close()
  await status.close()
  if (why === 'refused') return 1
  log('info', {
    event: 'agent-stopped',
    polite,
    msg: polite ? 'resigned and stopped' : 'the VRRP process did not resign in time and was killed',
  })
  return polite ? 0 : 1
}

/** Whoever may have slept looks at its lease before it says anything, whatever wakes it. */
function lookingFirst(supervisor: Supervisor, look: () => void): Supervisor {
  const first =
    <Heard extends unknown[]>(then: (...heard: Heard) => void) =>
    (...heard: Heard): void => {
      look()
      then(...heard)
    }
  const { pulse, hear, command } = supervisor
  return { ...supervisor, pulse: first(pulse), hear: first(hear), command: first(command) }
}

/** Undefined where all services are solo: then nothing here needs raw sockets, or root. */
function startVrrp(config: AgentConfig, supervisor: Supervisor, onRefused: () => void): VrrpChild | undefined {
  if (config.routers.length === 0) return undefined
  const { configuration, hear, vrrpDied } = supervisor
  return startVrrpChild({ configuration, onMessage: hear, onDeath: vrrpDied, onRefused })
}

type LinkInput = {
  readonly config: AgentConfig
  readonly incarnation: string
  readonly supervisor: Supervisor
  readonly log: Log
}

function linkToControl({ config, incarnation, supervisor, log }: LinkInput): ControlLink {
  const { node, site, control } = config
  return openControlLink({
    control: control!,
    identity: { node, site, incarnation },
    now: sinceBoot,
    onCommand: supervisor.command,
    onRefused({ service, why }) {
      log('warn', { event: 'service-refused', service, why, msg: `control does not hear of ${service}: ${why}` })
    },
    onChange(connected, why) {
      if (connected) {
        log('info', { event: 'control-connected', url: control!.url, msg: 'connected to control' })
        // What is reported must be fresh, so those whom it is about are asked.
        supervisor.pulse()
      } else log('warn', { event: 'control-lost', url: control!.url, why, msg: `no connection to control: ${why}` })
    },
  })
}

type WatchInput = Pick<LinkInput, 'config' | 'supervisor' | 'log'> & { readonly link: ControlLink }

function watchControl({ config, link, supervisor, log }: WatchInput): LossWatch {
  return watchLoss({
    config,
    log,
    now: sinceBoot,
    confirmedAt: link.confirmedAt,
    isActive: (service) => supervisor.services()[service]?.status.state === 'active',
    onLost: supervisor.controlLost,
    onServing: supervisor.judged,
  })
}

function peerAnswer(supervisor: Supervisor, service: string) {
  const known = supervisor.services()[service]
  if (known === undefined) return 'absent'
  const { heardAt } = supervisor.vrrp()
  if (!known.solo && (heardAt === null || sinceBoot() - heardAt > freshForMs)) return 'unknown'
  return known.status.state === 'active' ? 'active' : 'free'
}

/** The longest that a router waits for its successor, and the time of two slow processes to say so. */
function longestResignationMs({ routers }: AgentConfig): number {
  const longest = Math.max(...routers.map(({ advertisementInterval }) => ofCentiseconds(advertisementInterval) / 1_000))
  return longest + 5_000
}

function aborted(signal: AbortSignal): Promise<'stopped'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stopped')
    signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
}
