/**
 * The supervisor: starts the VRRP process and watches it, tells control and whoever asks what it says, leaves politely.
 *
 *   control ◀── link ──┐
 *                      ├── supervisor ══ pipe ══ vrrp-process ── the LAN
 *   status socket ─────┘
 *
 * The LAN needs nothing of this process but its life: when it ends, the VRRP process resigns.
 */
import { randomUUID } from 'node:crypto'
import { type Command, heartbeatMs } from '../control/contract.ts'
import type { AgentConfig } from './config.ts'
import { type ControlLink, openControlLink } from './link/control-link.ts'
import { now } from './linux/clock.ts'
import type { Log } from './log.ts'
import type { FromVrrp } from './ports.ts'
import { reportsOf } from './reports.ts'
import { type AgentServiceStatus, type AgentStatus, serveStatus } from './status.ts'
import type { ServiceStatus } from './vrrp/slot.ts'
import { type Instant, ofCentiseconds } from './vrrp/time.ts'
import { startVrrpChild, type VrrpChild } from './vrrp-child.ts'
import { formatAddress } from './wire/address.ts'

type VrrpStatus = FromVrrp & { readonly kind: 'status' }

/** What the supervisor knows of its VRRP process. */
type Knowledge = {
  services: Readonly<Record<string, ServiceStatus>>
  discards: VrrpStatus['discards']
  /** When each service entered its state, by the wall clock. */
  readonly since: Map<string, string>
  realtime: boolean
  restarts: number
}

/** Runs until `signal` aborts; resolves to the exit code. */
export async function runAgent(config: AgentConfig, log: Log, signal: AbortSignal): Promise<number> {
  const incarnation = randomUUID()
  const known: Knowledge = { services: unstarted(config), discards: {}, since: new Map(), realtime: false, restarts: 0 }
  for (const { name } of config.routers) known.since.set(name, new Date().toISOString())

  let link: ControlLink | undefined
  let child: VrrpChild | undefined
  let held: readonly string[] = []
  const refused = Promise.withResolvers<'refused'>()
  const report = (answers: readonly string[] = []): void =>
    link?.report(
      reportsOf(known.services, (service) => known.since.get(service)!),
      answers,
    )
  const status = await serveStatus(config.socket, () => statusOf(config, incarnation, known, link, child))

  const hear = (message: FromVrrp): void => {
    logMessage(log, message)
    if (message.kind === 'started') known.realtime = message.realtime
    if (message.kind === 'transition') known.since.set(message.service, wallTime(message.at))
    if (message.kind === 'transition' && message.from === 'fault') link?.hurry()
    if (message.kind === 'answer')
      link?.result({ id: message.id, ok: message.ok, ...(message.reason ? { reason: message.reason } : {}) })
    if (message.kind === 'status') {
      known.services = message.services
      known.discards = message.discards
      report(message.id === null || message.id === heartbeat ? [] : [message.id])
    }
  }

  child = startVrrpChild({
    configuration: () => ({
      kind: 'configure',
      routers: config.routers,
      realtime: config.realtime,
      holding: held,
    }),
    onMessage: hear,
    onDeath(how, restartInMs) {
      log('error', {
        event: 'vrrp-died',
        how,
        restartInMs,
        msg: `the VRRP process died (${how}); it starts again in ${restartInMs} ms`,
      })
      known.restarts += 1
      held = activeServices(known)
      known.services = unstarted(config)
      report()
    },
    onRefused: () => refused.resolve('refused'),
  })
  link = config.control === undefined ? undefined : linkToControl(config, incarnation, child, log)
  const pulse = setInterval(() => child.send({ kind: 'status', id: heartbeat }), heartbeatMs)
  log('info', { event: 'agent-started', incarnation, socket: config.socket, msg: `agent of ${config.node} started` })

  const why = await Promise.race([refused.promise, aborted(signal)])
  clearInterval(pulse)
  const polite = await child.stop(longestResignationMs(config))
  known.services = unstarted(config)
  report()
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

/** The id of the supervisor's own status requests, each of which becomes a heartbeat to control. */
const heartbeat = 'heartbeat'

function linkToControl(config: AgentConfig, incarnation: string, child: VrrpChild, log: Log): ControlLink {
  const { node, site, control } = config
  return openControlLink({
    control: control!,
    identity: { node, site, incarnation },
    onCommand(command) {
      if (command.kind !== 'ask')
        log('info', { event: 'command', ...command, msg: `control says ${command.kind} for ${command.service}` })
      child.send(toVrrp(command))
    },
    onChange(connected, why) {
      if (connected) {
        log('info', { event: 'control-connected', url: control!.url, msg: 'connected to control' })
        // What is reported must be fresh, so the VRRP process is asked.
        child.send({ kind: 'status', id: heartbeat })
      } else log('warn', { event: 'control-lost', url: control!.url, why, msg: `no connection to control: ${why}` })
    },
  })
}

function toVrrp(command: Command) {
  const { kind, id } = command
  // The process itself must answer: a supervisor that lives proves nothing about a process that hangs.
  if (kind === 'ask') return { kind: 'status', id } as const
  return command
}

/** What holds of every service while no VRRP process runs. */
function unstarted({ routers }: AgentConfig): Record<string, ServiceStatus> {
  const counters = { sent: 0, received: 0, transitions: 0, late: 0 }
  return Object.fromEntries(
    routers.map(({ name, priority }) => [
      name,
      { state: 'initialize', priority, basePriority: priority, fault: null, ...counters },
    ]),
  )
}

function activeServices({ services }: Knowledge): string[] {
  return Object.entries(services)
    .filter(([, { state }]) => state === 'active')
    .map(([name]) => name)
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

function statusOf(
  config: AgentConfig,
  incarnation: string,
  known: Knowledge,
  link: ControlLink | undefined,
  child: VrrpChild | undefined,
): AgentStatus {
  const { node, site, control } = config
  const services = config.routers.map((router): [string, AgentServiceStatus] => [
    router.name,
    {
      ...known.services[router.name]!,
      since: known.since.get(router.name)!,
      interface: router.interface,
      vrid: router.vrid,
      addresses: router.addresses.map(({ address, prefixLength }) => `${formatAddress(address)}/${prefixLength}`),
    },
  ])
  return {
    node,
    site,
    incarnation,
    control: control === undefined ? null : { url: control.url, connected: link?.connected() ?? false },
    vrrp: { pid: child?.pid() ?? null, realtime: known.realtime, restarts: known.restarts },
    services: Object.fromEntries(services),
    discards: known.discards,
  }
}

/** This process may read the pipe late; what is told must be when it happened. */
function wallTime(at: Instant): string {
  return new Date(Date.now() - (now() - at) / 1_000).toISOString()
}

function logMessage(log: Log, message: FromVrrp): void {
  switch (message.kind) {
    case 'started': {
      const { realtime, cleaned } = message
      log('info', { event: 'vrrp-started', realtime, cleaned, msg: 'the VRRP process runs' })
      if (cleaned.length > 0)
        log('warn', {
          event: 'leftovers-removed',
          addresses: cleaned,
          msg: 'removed addresses that a crash left behind',
        })
      return
    }
    case 'transition': {
      const { service, from, to, reason } = message
      log('info', {
        event: 'state',
        service,
        from,
        to,
        reason,
        happenedAt: wallTime(message.at),
        msg: `${service}: ${from} to ${to} (${reason})`,
      })
      return
    }
    case 'announced':
      log('info', {
        event: 'announced',
        happenedAt: wallTime(message.at),
        service: message.service,
        addresses: message.addresses,
        msg: `${message.service}: gratuitous ARP sent`,
      })
      return
    case 'warning':
      log('warn', { event: 'warning', msg: message.message })
      return
    case 'refused':
      log('error', { event: 'refused', msg: message.message })
      return
    case 'odd':
      log('warn', {
        event: 'odd',
        ...message,
        kind: undefined,
        msg: `${message.service}: heard ${message.oddity} from ${message.source}`,
      })
      return
    case 'late':
      log('warn', {
        event: 'late',
        service: message.service,
        byMs: message.byMs,
        msg: `${message.service}: a timer fired ${message.byMs} ms late`,
      })
      return
    case 'answer':
    case 'status':
      return
  }
}
