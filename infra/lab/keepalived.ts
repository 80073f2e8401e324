/**
 * keepalived as a router of the lab: the neighbour to get on with, and the measure to be held against.
 *
 * `tuned` gives it what our agent has by default: real-time scheduling, memory that is not swapped, and no limit on the
 * time it may run (its own default limit of 10 ms kills it under load, which would compare nothing).
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLog, type LogLine, type RouterProcess, type RouterState, routerProcess } from './router-process.ts'
import type { Lab } from './topology.ts'

export type KeepalivedOptions = {
  /** VRRP version. Default: 3. */
  readonly version?: 2 | 3
  /** Name of the instance. Default: web. */
  readonly name?: string
  /** Default: eth0. */
  readonly interface?: string
  /** Default: 51. */
  readonly vrid?: number
  readonly priority: number
  readonly intervalMs: number
  /** With their prefix lengths. */
  readonly addresses: readonly string[]
  /** Default: true. */
  readonly preempt?: boolean
  /** SCHED_RR 50, locked memory, no RLIMIT_RTTIME. Default: false. */
  readonly tuned?: boolean
  /** `--log-detail`. Default: false, since writing the log delays what is logged. */
  readonly logDetail?: boolean
  /** Lines for `global_defs` and for the instance, as keepalived.conf(5) has them, such as `garp_master_repeat 1`. */
  readonly globals?: readonly string[]
  readonly extra?: readonly string[]
}

export async function startKeepalived(lab: Lab, node: string, options: KeepalivedOptions): Promise<RouterProcess> {
  const folder = await mkdtemp(join(lab.folder, `keepalived-${node}-`))
  const file = (name: string): string => join(folder, name)
  await writeFile(file('keepalived.conf'), keepalivedConf(node, options))
  const log = createLog(`keepalived on ${node}`)
  const program = await lab.spawn(
    'keepalived',
    [
      ...['--dont-fork', '--log-console', '--no-syslog', '--vrrp', '--use-file', file('keepalived.conf')],
      ...['--pid', file('parent.pid'), '--vrrp_pid', file('vrrp.pid')],
      ...(options.logDetail ? ['--log-detail'] : []),
    ],
    { in: node, onLine: log.add },
  )
  return routerProcess({ node, program, log, announced: announcedState, defaultService: options.name ?? 'web' })
}

/** The configuration file's text. */
export function keepalivedConf(node: string, options: KeepalivedOptions): string {
  const { version = 3, name = 'web', vrid = 51, preempt = true, tuned = false } = options
  return [
    'global_defs {',
    `  router_id ${node}`,
    `  vrrp_version ${version}`,
    ...(tuned ? ['  vrrp_rt_priority 50', '  vrrp_no_swap', '  vrrp_rlimit_rttime 1000000000'] : []),
    ...(options.globals ?? []).map((line) => `  ${line}`),
    '}',
    `vrrp_instance ${name} {`,
    '  state BACKUP',
    `  interface ${options.interface ?? 'eth0'}`,
    `  virtual_router_id ${vrid}`,
    `  priority ${options.priority}`,
    `  advert_int ${options.intervalMs / 1000}`,
    ...(preempt ? [] : ['  nopreempt']),
    ...(options.extra ?? []).map((line) => `  ${line}`),
    '  virtual_ipaddress {',
    ...options.addresses.map((address) => `    ${address}`),
    '  }',
    '}',
    '',
  ].join('\n')
}

/** Such as `(web) Entering MASTER STATE`, and `(web) Entering FAULT STATE`. */
function announcedState({ text }: LogLine, service: string): RouterState | undefined {
  const found = /\((.+?)\) Entering (\w+) STATE/.exec(text)
  return found?.[1] === service ? stateWords[found[2]!] : undefined
}

const stateWords: Readonly<Record<string, RouterState>> = { BACKUP: 'backup', MASTER: 'active', FAULT: 'fault' }
