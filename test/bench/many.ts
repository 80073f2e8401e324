/**
 * Any number of virtual routers on one interface of a node, as one process of ours or of keepalived's: VRIDs from 1 on,
 * one address each, 10.77.1.1 and on.
 *
 * Both get the same priority and interval, no detailed log, and either real time with locked memory or neither.
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startAgent } from '../../infra/lab/agent.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import { createLog, type RouterProcess, routerProcess } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'

export type Program = 'holdfast' | 'keepalived'

export type Many = {
  readonly count: number
  readonly intervalMs: number
  readonly priority: number
  /** Default: true. */
  readonly realtime?: boolean
}

export const addressOf = (index: number): string => `10.77.1.${index + 1}`

export const startMany: Readonly<Record<Program, (lab: Lab, node: string, many: Many) => Promise<RouterProcess>>> = {
  holdfast: (lab, node, { count, intervalMs, priority, realtime = true }) => {
    const services = Array.from({ length: count }, (_, i) => {
      const addresses = [`${addressOf(i)}/32`]
      return [`r${i + 1}`, { interface: 'eth0', vrid: i + 1, priority, addresses, interval: `${intervalMs}ms` }]
    })
    return startAgent(lab, node, { realtime, services: Object.fromEntries(services) })
  },
  async keepalived(lab, node, many) {
    const folder = await mkdtemp(join(lab.folder, `keepalived-${node}-`))
    const file = (name: string): string => join(folder, name)
    await writeFile(file('keepalived.conf'), keepalivedConf(node, many))
    const log = createLog(`keepalived on ${node}`)
    const options = ['--dont-fork', '--log-console', '--no-syslog', '--vrrp', '--use-file', file('keepalived.conf')]
    const pids = ['--pid', file('parent.pid'), '--vrrp_pid', file('vrrp.pid')]
    const program = await lab.spawn('keepalived', [...options, ...pids], { in: node, onLine: log.add })
    return routerProcess({ node, program, log, announced: () => undefined, defaultService: 'r1' })
  },
}

function keepalivedConf(node: string, { count, intervalMs, priority, realtime = true }: Many): string {
  const instances = Array.from({ length: count }, (_, i) => [
    `vrrp_instance r${i + 1} {`,
    ...['  version 3', '  state BACKUP', '  interface eth0', `  virtual_router_id ${i + 1}`],
    ...[`  priority ${priority}`, `  advert_int ${intervalMs / 1000}`],
    ...['  virtual_ipaddress {', `    ${addressOf(i)}/32`, '  }', '}'],
  ])
  const globals = realtime ? ['vrrp_rt_priority 50', 'vrrp_no_swap', 'vrrp_rlimit_rttime 1000000000'] : []
  return ['global_defs {', `router_id ${node}`, ...globals, '}', ...instances.flat(), ''].join('\n')
}

/** n1 with priority 200 active for all of them; then n2 with 100, so that it never was anything but their backup. */
export async function startManyPair(
  lab: Lab,
  { program, ...many }: Omit<Many, 'priority'> & { readonly program: Program },
): Promise<{ readonly n1: RouterProcess; readonly n2: RouterProcess }> {
  const n1 = await startMany[program](lab, 'n1', { ...many, priority: 200 })
  const begun = nowMs()
  const waitFor = async (isThere: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await isThere()) && nowMs() < begun + 60_000) await sleep(100)
  }
  await waitFor(async () => (await heldBy(lab, 'n1')) === many.count)
  await sleep(1_000)
  const n2 = await startMany[program](lab, 'n2', { ...many, priority: 100 })
  // Both say of each router that it is backup as it starts; one that never does is seen by whoever asks what changed.
  await waitFor(() => changesLogged(n2) >= many.count)
  return { n1, n2 }
}

/** How many of the virtual addresses a node has. */
export async function heldBy(lab: Lab, node: string): Promise<number> {
  return (await lab.addresses(node)).filter((address) => address.startsWith('10.77.1.')).length
}

/** Whether n1 has all addresses and n2 none, twice in a row, before the time is over. */
export async function isSettled(lab: Lab, count: number, withinMs: number): Promise<boolean> {
  const end = nowMs() + withinMs
  for (let good = 0; good < 2; await sleep(250)) {
    const [first, second] = await Promise.all([heldBy(lab, 'n1'), heldBy(lab, 'n2')])
    good = first === count && second === 0 ? good + 1 : 0
    if (nowMs() > end) return false
  }
  return true
}

/** Changes of state that it has logged so far, of all its routers. */
export function changesLogged({ log }: RouterProcess): number {
  return log.filter(({ text }) => /"event":"state"|Entering \w+ STATE/.test(text)).length
}
