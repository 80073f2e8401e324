/**
 * FRR's vrrpd as a router of the lab, with the zebra that it works through.
 *
 * Unlike others it never touches an address: its addresses are always on a macvlan device that has the RFC's virtual
 * MAC, and it takes the carrier from that device (protodown) while it is not active. Making the device is left to the
 * administrator. A device without carrier still counts as ours for ARP on its parent, so the parent must not answer
 * for it (`arp_ignore`). FRR drops its rights to a user of its own, for which an ordinary user's namespace has no room.
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from './program.ts'
import { inRealTime } from './real-time.ts'
import { createLog, type LogLine, type RouterProcess, type RouterState, routerProcess } from './router-process.ts'
import type { Lab } from './topology.ts'

export type FrrOptions = {
  /** VRRP version. Default: 3. */
  readonly version?: 2 | 3
  /** Default: 51. */
  readonly vrid?: number
  readonly priority: number
  /** In steps of 10 ms; whole seconds in version 2. */
  readonly intervalMs: number
  /** All of one family, with their prefix lengths. */
  readonly addresses: readonly string[]
  /** Default: true. */
  readonly preempt?: boolean
}

/** Both programs; `stop` and `kill` end both. */
export async function startFrr(lab: Lab, node: string, options: FrrOptions): Promise<RouterProcess> {
  const folder = await mkdtemp(join(lab.folder, `frr-${node}-`))
  const file = (name: string): string => join(folder, name)
  const { vrid = 51, addresses } = options
  const device = deviceOf(vrid, addresses)
  await Promise.all([
    writeFile(file('zebra.conf'), `hostname ${node}\n`),
    writeFile(file('vrrpd.conf'), frrConf(node, options)),
  ])
  await lab.run('sh', ['-se'], {
    in: node,
    input: [`chmod 711 ${lab.folder}`, `chown -R frr:frr ${folder}`, ...deviceScript(device, addresses)].join('\n'),
  })
  const log = createLog(`FRR on ${node}`)
  const daemon = (name: string): Promise<Program> => {
    const [program, ...args] = inRealTime([
      `/usr/lib/frr/${name}`,
      ...['--config_file', file(`${name}.conf`), '--pid_file', file(`${name}.pid`), '--vty_port', '0'],
      ...['--socket', file('zebra.sock'), '--vty_socket', folder, '--log', 'stdout', '--log-level', 'debugging'],
    ])
    return lab.spawn(program, args, { in: node, onLine: log.add })
  }
  const zebra = await daemon('zebra')
  // A vrrpd that comes before zebra's socket tries again only after ten seconds.
  await lab.run('sh', ['-c', `until [ -S ${file('zebra.sock')} ]; do sleep 0.01; done`])
  const vrrpd = await daemon('vrrpd')
  const router = routerProcess({
    node,
    program: vrrpd,
    log,
    announced: announcedState,
    defaultService: String(vrid),
  })
  return {
    ...router,
    stop: async () => {
      const code = await router.stop()
      // vrrpd only asks zebra to take the carrier, and zebra must live until it has.
      await untilDown(lab, node, device.name)
      zebra.signal('SIGTERM')
      await zebra.exited
      return code
    },
    kill: async () => {
      await Promise.all([vrrpd.kill(), zebra.kill()])
    },
    freeze: () => [vrrpd, zebra].forEach((program) => void program.freeze()),
    thaw: () => [zebra, vrrpd].forEach((program) => void program.thaw()),
  }
}

/** The configuration file's text. */
export function frrConf(node: string, options: FrrOptions): string {
  const { version = 3, vrid = 51, priority, intervalMs, preempt = true, addresses } = options
  const bare = addresses.map((address) => address.split('/')[0]!)
  return [
    `hostname ${node}`,
    // It says nothing of what it discards otherwise.
    'debug vrrp protocol',
    'interface eth0',
    ` vrrp ${vrid} version ${version}`,
    ` vrrp ${vrid} priority ${priority}`,
    ` vrrp ${vrid} advertisement-interval ${intervalMs}`,
    ` ${preempt ? '' : 'no '}vrrp ${vrid} preempt`,
    ...bare.map((address) => ` vrrp ${vrid} ${isIPv6(address) ? 'ipv6' : 'ip'} ${address}`),
    '',
  ].join('\n')
}

type Device = { readonly name: string; readonly mac: string }

function deviceOf(vrid: number, addresses: readonly string[]): Device {
  const family = addresses[0]?.includes(':') ? 6 : 4
  const mac = `00:00:5e:00:${family === 6 ? '02' : '01'}:${vrid.toString(16).padStart(2, '0')}`
  return { name: `vrrp${family}-${vrid}`, mac }
}

/**
 * It is left as it is when a former FRR of this node had it. FRR's IPv6 advertisements come from the link-local address
 * that the kernel lists first, which is the newest: the device gets one of its own after the virtual router's.
 */
function deviceScript({ name, mac }: Device, addresses: readonly string[]): string[] {
  const linkLocal = addresses.filter((address) => address.startsWith('fe80')).length
  return [
    'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_ignore',
    `ip link show dev ${name} >/dev/null 2>&1 || {`,
    `ip link add name ${name} link eth0 address ${mac} type macvlan mode bridge`,
    `ip link set dev ${name} addrgenmode random`,
    ...addresses.map((address) => `ip addr add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`),
    `ip link set dev ${name} up`,
    `until [ $(ip -6 addr show dev ${name} | grep -c fe80) -gt ${linkLocal} ]; do sleep 0.005; done`,
    `ip link set dev ${name} protodown on`,
    '}',
  ]
}

async function untilDown(lab: Lab, node: string, device: string): Promise<void> {
  for (let looks = 0; looks < 100; looks += 1) {
    const { stdout } = await lab.run('ip', ['-d', 'link', 'show', 'dev', device], { in: node })
    if (stdout.includes('protodown on')) return
    await sleep(10)
  }
}

/** Such as `[CORE] [VRID 51] [IPv4] Backup -> Master`. */
function announcedState({ text }: LogLine, vrid: string): RouterState | undefined {
  const found = /\[VRID (\d+)\] \[\w+\] \w+ -> (\w+)$/.exec(text)
  return found?.[1] === vrid ? stateWords[found[2]!] : undefined
}

const stateWords: Readonly<Record<string, RouterState>> = {
  Initialize: 'initialize',
  Backup: 'backup',
  Master: 'active',
}
