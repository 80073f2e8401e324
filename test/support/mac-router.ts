/** A router with a virtual MAC address as a process of the lab, without the agent's configuration around it. */
import { join } from 'node:path'
import { createLog, type RouterProcess, type RouterState, routerProcess } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { encodeLine } from '../../node-agent/lines.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'
import type { Centiseconds } from '../../node-agent/vrrp/time.ts'
import { address, virtualRouter } from './routers.ts'

export const vip = '10.77.0.50'
export const virtualMac = '00:00:5e:00:01:33'

/** VRID 51 on eth0 with an advertisement each 100 ms, and `vip`. */
export function macRouter(changes: Partial<VirtualRouter> = {}): VirtualRouter {
  return virtualRouter({
    advertisementInterval: 10 as Centiseconds,
    addresses: [{ address: address(vip), prefixLength: 24 }],
    virtualMac: true,
    resign: 'now',
    ...changes,
  })
}

type Options = { readonly record?: string; readonly holding?: readonly string[]; readonly realtime?: boolean }

export async function startMacRouters(
  lab: Lab,
  node: string,
  routers: readonly VirtualRouter[],
  { record = join(lab.folder, `${node}.sock.sysctls`), holding = [], realtime = false }: Options = {},
): Promise<RouterProcess> {
  const log = createLog(`the router on ${node}`)
  const program = await lab.spawn(process.execPath, [join(import.meta.dirname, 'mac-router-main.ts')], {
    in: node,
    onLine: log.add,
  })
  program.stdin.write(encodeLine({ routers, record, holding, realtime }))
  return routerProcess({ node, program, log, announced, defaultService: routers[0]?.name ?? 'web' })
}

function announced({ text }: { readonly text: string }, service: string): RouterState | undefined {
  if (!text.startsWith('{"kind":"transition"')) return undefined
  const said = JSON.parse(text) as { service: string; to: RouterState }
  return said.service === service ? said.to : undefined
}
