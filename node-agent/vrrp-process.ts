/**
 * The real-time process: receive, admit, step, perform, wait. Nothing else happens here; no HTTP, no checks, no logs.
 *
 * It never returns to Node's event loop. One synchronous loop waits for sockets and the next deadline in a single
 * `ppoll`, so that nothing stands between a timer and its packet: no thread pool, no queue of callbacks. Signals are
 * ignored for the same reason (a handler would never run); the supervisor speaks through a pipe, and its end, however
 * the supervisor went, means: resign.
 *
 * Started by the supervisor with the pipe as descriptor 3.
 */
import { createLeases, type Leases } from './lapse.ts'
import { createLineDecoder, encodeLine } from './lines.ts'
import { bootTime } from './linux/boot-time.ts'
import { SIGHUP, SIGINT, SIGTERM } from './linux/constants.ts'
import { ignoreSignal, pollSetOf, ppoll, SystemError } from './linux/libc.ts'
import { openPipe, type Pipe } from './linux/pipe.ts'
import { endRealtime, goRealtime } from './linux/realtime.ts'
import { installed, type LinuxVrrpPorts, openVrrpPorts } from './linux/vrrp-ports.ts'
import { type Machine, openMachine } from './machine.ts'
import { turn } from './perform.ts'
import { type FromVrrp, refusedExitCode, type SaidByVrrp, type ToVrrp, type VrrpPorts } from './ports.ts'
import { rehearse } from './rehearsal.ts'
import { createSleepWatch } from './sleep-watch.ts'
import { createEngine, type Engine, type Input } from './vrrp/engine.ts'
import { allAddresses, type VirtualRouter } from './vrrp/router.ts'
import { after, earliest, milliseconds } from './vrrp/time.ts'
import { formatAddress } from './wire/address.ts'

type Configuration = ToVrrp & { readonly kind: 'configure' }

const supervisorFd = 3

function main(): void {
  for (const signal of [SIGTERM, SIGINT, SIGHUP]) ignoreSignal(signal)
  const pipe = openPipe(supervisorFd)
  const publish = (message: FromVrrp): void => {
    const said: SaidByVrrp = { saidAt: bootTime(), message }
    pipe.write(encodeLine(said))
  }
  const decode = createLineDecoder<ToVrrp>()
  const receive = (): ToVrrp[] | undefined => {
    const text = pipe.drain()
    return text === undefined ? undefined : decode(text)
  }
  const [configuration, ...early] = awaitConfiguration(pipe, receive)
  if (configuration?.kind !== 'configure') return
  try {
    run(configuration, { pipe, early, receive, publish })
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    publish({ kind: 'refused', message: describe(error) })
    process.exitCode = refusedExitCode
  } finally {
    endRealtime()
  }
}

type Supervisor = {
  readonly pipe: Pipe
  /** What came together with the configuration: a stop, when the agent was stopped while it started. */
  readonly early: readonly ToVrrp[]
  /** What has come since; undefined once the supervisor is gone. */
  readonly receive: () => ToVrrp[] | undefined
  readonly publish: (message: FromVrrp) => void
}

function run(configuration: Configuration, supervisor: Supervisor): void {
  const machine = openMachine(configuration.record)
  try {
    serve(configuration, supervisor, machine)
  } catch (error) {
    // After a crash the next process goes on with what this one had; where it can't work, nothing may stay.
    if (error instanceof SystemError) machine.release()
    throw error
  }
  for (const message of machine.release()) supervisor.publish({ kind: 'warning', message })
}

function serve(
  { realtime, first, holding, ...said }: Configuration,
  { pipe, early, receive, publish }: Supervisor,
  machine: Machine,
): void {
  const warnings = realtime ? goRealtime() : []
  const { routers } = said
  const leases = createLeases(said)
  const received: Received = { statusAsked: [], reconfigured: [] }
  let carried = routers
  const listener: Listener = {
    leases,
    received,
    carryToo(others) {
      for (const message of carryOn(machine, [...carried, ...others])) publish({ kind: 'warning', message })
      const known = ports.carry([...carried, ...others])
      carried = others
      return known
    },
  }
  const ports = openVrrpPorts({
    pipe: {
      ...pipe,
      drain: () => receive()?.flatMap((message) => inputsOf(message, listener)),
    },
    publish,
    virtualMacs: machine.virtualMacs,
    keepSiblings: machine.keepSiblings,
  })
  const held = new Set(holding)
  const unset = machine.carry(routers, held)
  const known = ports.carry(routers)
  const cleaned = cleanLeftovers(
    ports,
    routers.filter(({ name, priority }) => priority !== 255 && !held.has(name)),
  )
  if (routers[0] !== undefined) rehearse(routers[0])
  publish({ kind: 'started', realtime: realtime && warnings.length === 0, cleaned })
  for (const message of [...warnings, ...unset]) publish({ kind: 'warning', message })

  const engine = createEngine({ routers, first, holding: held, standings: leases.standings(bootTime()) })
  for (const input of known) engine.handle(input, ports.now())
  for (const message of early) for (const input of inputsOf(message, listener)) engine.handle(input, ports.now())
  loop(engine, { machine, ports, leases, received })
}

/** While others are served, one whose device can't be made must not end them. */
function carryOn(machine: Machine, routers: readonly VirtualRouter[]): string[] {
  try {
    return machine.carry(routers)
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    return [error.message]
  }
}

type Received = {
  readonly statusAsked: string[]
  /** Ids of `reconfigure` that have been obeyed and not answered yet. */
  readonly reconfigured: string[]
}

type Loop = {
  readonly machine: Machine
  readonly ports: LinuxVrrpPorts
  readonly leases: Leases
  readonly received: Received
}

function loop(engine: Engine, { machine, ports, leases, received }: Loop): void {
  const turning = leased(ports, leases)
  let carriesLeavers = false
  for (;;) {
    turn(engine, turning)
    for (const id of received.reconfigured.splice(0)) {
      carriesLeavers = true
      ports.publish({ kind: 'reconfigured', id })
    }
    for (const id of received.statusAsked.splice(0)) {
      ports.publish({ kind: 'status', id, services: engine.services(), discards: engine.discards() })
    }
    if (engine.finished()) return
    // Whoever leaves has needed its socket until now.
    if (carriesLeavers && !engine.isLeaving()) {
      carriesLeavers = false
      for (const message of carryOn(machine, engine.routers())) ports.publish({ kind: 'warning', message })
      ports.carry(engine.routers())
    }
    turning.wait(engine.nextDeadline())
  }
}

/**
 * The same ports, on which a suspension of the machine and a lease that has ended are heard of before whatever came
 * meanwhile, and a lease is not slept past.
 */
function leased(ports: VrrpPorts, leases: Leases): VrrpPorts {
  const sleep = createSleepWatch()
  return {
    ...ports,
    drain() {
      const inputs = ports.drain()
      const slept = sleep.look(bootTime(), ports.now())
      const lapsed = leases.nextEnd() === undefined ? [] : leases.lapsed(bootTime())
      return slept === undefined && lapsed.length === 0 ? inputs : [...(slept ? [slept] : []), ...lapsed, ...inputs]
    },
    wait(deadline) {
      const end = leases.nextEnd()
      if (end === undefined) return ports.wait(deadline)
      const endsIn = milliseconds(Math.max(0, end - bootTime()))
      ports.wait(earliest(deadline, after(ports.now(), endsIn)))
    },
  }
}

/** A former process of ours may have died with addresses installed; hosts must not find two of them. */
function cleanLeftovers(ports: LinuxVrrpPorts, routers: readonly VirtualRouter[]): string[] {
  const leftovers = routers.flatMap((router) => installed(ports.interfaces, router.interface, allAddresses(router)))
  ports.changeAddresses(leftovers)
  return leftovers.map(({ prefix }) => formatAddress(prefix.address))
}

type Listener = {
  readonly leases: Leases
  readonly received: Received
  /** Opens what these need besides what is open; what is known of their interfaces. */
  readonly carryToo: (routers: readonly VirtualRouter[]) => Input[]
}

function inputsOf(message: ToVrrp, { leases, received, carryToo }: Listener): Input[] {
  switch (message.kind) {
    case 'configure':
      return []
    case 'reconfigure': {
      received.reconfigured.push(message.id)
      const { routers } = message
      const known = carryToo(routers)
      return [{ kind: 'reconfigure', routers, standings: leases.become(message, bootTime()) }, ...known]
    }
    case 'status':
      received.statusAsked.push(message.id)
      return []
    case 'standing':
    case 'lease':
      return leases.hear(message, bootTime())
    default:
      return [message]
  }
}

/** The configuration, and all that came with it; nothing when the supervisor is gone. */
function awaitConfiguration(pipe: Pipe, receive: () => ToVrrp[] | undefined): ToVrrp[] {
  const pollSet = pollSetOf([pipe.fd])
  for (;;) {
    ppoll(pollSet, undefined)
    const received = receive()
    if (received === undefined || received[0]?.kind === 'configure') return received ?? []
  }
}

function describe(error: SystemError): string {
  if (error.code !== 'EPERM' && error.code !== 'EACCES') return error.message
  const remedy =
    'run as root, or grant CAP_NET_RAW and CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN)'
  return `${error.message}: VRRP uses raw sockets and changes addresses; ${remedy}`
}

main()
