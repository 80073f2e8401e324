/**
 * A small network to break: nodes and a client on one switch, each in a network namespace of its own.
 *
 *     n1 eth0 ─┐                       10.77.0.1, .2, …   nodes
 *     n2 eth0 ─┼─ switch 10.77.0.9     10.77.0.100        client
 *   client eth0 ─┘                     eth1 ─ management 10.78.0.0/24, with the same last numbers (optional)
 *
 * The switch is a bridge in the sandbox's own namespace, where control and the cloud listen on its address. A cable is
 * the veth pair's end at the switch: taking it down takes the carrier from eth0, as pulling the plug does.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMs } from './clock.ts'
import { type Prober, type ProberOptions, startProber } from './prober.ts'
import type { Program } from './program.ts'
import { createSandbox, type RunOptions, type Sandbox, type SpawnOptions } from './sandbox.ts'

export type LabOptions = {
  /** One to eight names of at most 11 lower-case letters, digits and dashes. The nth has the address 10.77.0.n. */
  readonly nodes: readonly string[]
  /** A namespace `client` at 10.77.0.100. Default: true. */
  readonly client?: boolean
  /** A second network on eth1, that stays when the cable of eth0 is out. Default: false. */
  readonly management?: boolean
}

/** Instants are milliseconds of CLOCK_MONOTONIC (`nowMs`), taken when the change had taken effect. */
export type Lab = {
  readonly sandbox: Sandbox
  /** For files and Unix sockets that both sides see; removed with the lab. */
  readonly folder: string
  readonly nodes: readonly string[]
  run(command: string, args: readonly string[], options?: RunOptions): Promise<{ readonly stdout: string }>
  spawn(command: string, args: readonly string[], options?: SpawnOptions): Promise<Program>
  /** Its eth0 address; `management` for that of eth1. */
  addressOf(name: string, network?: 'switch' | 'management'): string
  /** The interface of a node loses its carrier. */
  cableOut(name: string): Promise<number>
  /** Resolves when the switch forwards to it again. */
  cableIn(name: string): Promise<number>
  /** The switch drops what comes from one and is for the other; the way back stays open. Losses add up. */
  lose(loss: Loss): Promise<number>
  /** Ends every loss. */
  heal(): Promise<number>
  /** IPv4 and IPv6 addresses that a node has on any interface but lo, without their prefix lengths. */
  addresses(node: string): Promise<readonly string[]>
  /** The nodes that have this address now. */
  holdersOf(address: string): Promise<readonly string[]>
  /** Waits until exactly these nodes have it; how long at most, default 30 s. Throws with who has it then. */
  untilHeldBy(address: string, nodes: readonly string[], deadlineMs?: number): Promise<void>
  /** Asks an address from the client, as often as you like, until stopped. */
  probe(options: ProberOptions): Promise<Prober>
  [Symbol.asyncDispose](): Promise<void>
}

export type Loss = {
  readonly from: string
  readonly to: string
  /** Only VRRP, or every frame, ARP included. Default: vrrp. */
  readonly protocol?: 'vrrp' | 'all'
}

export async function createLab(options: LabOptions): Promise<Lab> {
  const members = membersOf(options)
  const sandbox = await createSandbox()
  try {
    await sandbox.run('sh', ['-se'], { input: buildScript(members, options.management ?? false) })
  } catch (error) {
    await sandbox[Symbol.asyncDispose]()
    throw error
  }
  const sh = async (input: string): Promise<number> => {
    await sandbox.run('sh', ['-se'], { input })
    return nowMs()
  }
  const known = (name: string): Member => {
    const member = members.find((each) => each.name === name)
    if (member === undefined) throw new Error(`the lab has no ${name}: ${members.map((each) => each.name).join(', ')}`)
    return member
  }
  const lab: Lab = {
    sandbox,
    folder: sandbox.folder,
    nodes: options.nodes,
    run: sandbox.run,
    spawn: sandbox.spawn,
    addressOf: (name, network = 'switch') => `10.${network === 'switch' ? 77 : 78}.0.${known(name).number}`,
    cableOut: (name) => sh(`ip link set dev ${known(name).name} down`),
    cableIn: (name) => sh(`ip link set dev ${known(name).name} up\n${waitForPort(name)}`),
    lose: (loss) => sh(lossScript(known(loss.from), known(loss.to), loss.protocol ?? 'vrrp')),
    heal: () => sh(`nft 'add table bridge losses; delete table bridge losses'`),
    addresses: (node) => addressesIn(sandbox, known(node).name),
    holdersOf: (address) => holdersOf(lab, address),
    untilHeldBy: (address, nodes, deadlineMs = 30_000) => untilHeldBy(lab, address, nodes, deadlineMs),
    probe: (proberOptions) => startProber(sandbox, proberOptions),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  }
  return lab
}

type Member = { readonly name: string; readonly number: number }

function membersOf({ nodes, client = true }: LabOptions): Member[] {
  const wrong = nodes.find((name, i) => !/^[a-z][a-z0-9-]{0,10}$/.test(name) || nodes.indexOf(name) !== i)
  if (wrong !== undefined || nodes.includes('client') || nodes.length < 1 || nodes.length > 8) {
    throw new Error(`a lab has 1 to 8 nodes with short lower-case names that differ: ${wrong ?? nodes.join(', ')}`)
  }
  const members = nodes.map((name, i) => ({ name, number: i + 1 }))
  return client ? [...members, { name: 'client', number: 100 }] : members
}

/** What `sh` builds everything from, in one process start. */
function buildScript(members: readonly Member[], management: boolean): string {
  return [
    quietIpv6(''),
    ...members.flatMap(({ name }) => [`ip netns add ${name}`, quietIpv6(`ip netns exec ${name}`)]),
    ...switchScript(members, { bridge: 'switch', port: (name) => name, inside: 'eth0', network: 77 }),
    ...(management
      ? switchScript(members, { bridge: 'management', port: (name) => `${name}-mgt`, inside: 'eth1', network: 78 })
      : []),
    ...members.map(({ name }) => waitForPort(name)),
  ].join('\n')
}

/** No duplicate address detection and no search for routers: IPv6 addresses work at once, and nothing disturbs a capture. */
function quietIpv6(prefix: string): string {
  return [
    `${prefix} sh -c 'cd /proc/sys/net/ipv6/conf 2>/dev/null || exit 0`,
    `for i in all default; do echo 0 >$i/accept_dad; echo 0 >$i/router_solicitations; done'`,
  ].join('\n')
}

type Network = { bridge: string; port: (name: string) => string; inside: string; network: number }

function switchScript(members: readonly Member[], { bridge, port, inside, network }: Network): string[] {
  const mac = (side: number, number: number): string =>
    `02:77:${side}0:00:${String(network)}:${number.toString(16).padStart(2, '0')}`
  return [
    'ip -batch - <<END',
    `link add ${bridge} address ${mac(0, 9)} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${bridge} up`,
    `addr add 10.${network}.0.9/24 brd + dev ${bridge}`,
    ...members.flatMap(({ name, number }) => [
      `link add ${port(name)} address ${mac(1, number)} type veth` +
        ` peer name ${inside} address ${mac(0, number)} netns ${name}`,
      `link set ${port(name)} master ${bridge} up`,
    ]),
    'END',
    ...members.flatMap(({ name, number }) => [
      `ip -n ${name} -batch - <<END`,
      'link set lo up',
      `link set ${inside} up`,
      `addr add 10.${network}.0.${number}/24 brd + dev ${inside}`,
      'END',
    ]),
  ]
}

/** A bridge forwards to a port some time after the link comes up: when the kernel has told the bridge of the carrier. */
function waitForPort(name: string): string {
  return `until bridge link show dev ${name} | grep -q 'state forwarding'; do sleep 0.005; done`
}

/** Dropped in the switch, so that a packet socket of the receiver does not see it either. */
function lossScript(from: Member, to: Member, protocol: 'vrrp' | 'all'): string {
  const pair = `iifname "${from.name}" oifname "${to.name}"`
  const rules = protocol === 'all' ? [''] : ['ether type ip ip protocol 112', 'ether type ip6 ip6 nexthdr 112']
  return [
    'nft -f - <<END',
    'add table bridge losses',
    'add chain bridge losses forward { type filter hook forward priority 0; }',
    ...rules.map((rule) => `add rule bridge losses forward ${pair} ${rule} drop`),
    'END',
  ].join('\n')
}

async function addressesIn(sandbox: Sandbox, node: string): Promise<readonly string[]> {
  const { stdout } = await sandbox.run('ip', ['-n', node, '-j', 'addr'])
  const interfaces = JSON.parse(stdout) as { ifname: string; addr_info?: { local: string }[] }[]
  return interfaces
    .filter(({ ifname }) => ifname !== 'lo')
    .flatMap(({ addr_info = [] }) => addr_info.map(({ local }) => local))
}

async function holdersOf(lab: Lab, address: string): Promise<readonly string[]> {
  const held = await Promise.all(lab.nodes.map((node) => lab.addresses(node)))
  return lab.nodes.filter((_, i) => held[i]!.includes(address))
}

async function untilHeldBy(lab: Lab, address: string, nodes: readonly string[], deadlineMs: number): Promise<void> {
  const wanted = [...nodes].sort().join(', ')
  const deadline = nowMs() + deadlineMs
  for (;;) {
    const holders = [...(await lab.holdersOf(address))].sort().join(', ')
    if (holders === wanted) return
    if (nowMs() > deadline) {
      const seconds = deadlineMs / 1000
      throw new Error(`after ${seconds} s ${address} is held by ${holders || 'nobody'}, not by ${wanted || 'nobody'}`)
    }
    await sleep(20)
  }
}
