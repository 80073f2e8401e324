/** Virtual routers in a namespace of the lab that need no configuration file: whatever a `VirtualRouter` can say. */
import { join } from 'node:path'
import { createLog, type RouterProcess, type RouterState, routerProcess } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { createLineDecoder, encodeLine } from '../../node-agent/lines.ts'
import type { FromVrrp } from '../../node-agent/ports.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'

export async function startRouters(lab: Lab, node: string, routers: readonly VirtualRouter[]): Promise<RouterProcess> {
  const log = createLog(`the routers on ${node}`)
  const program = await lab.spawn(process.execPath, [join(import.meta.dirname, 'router-main.ts')], {
    in: node,
    onLine: log.add,
  })
  program.stdin.write(encodeLine(routers))
  const handle = routerProcess({ node, program, log, announced, defaultService: routers[0]!.name })
  return {
    ...handle,
    stop: () => {
      program.stdin.end()
      return program.exited
    },
  }
}

function announced({ text }: { readonly text: string }, service: string): RouterState | undefined {
  if (!text.startsWith('{')) return undefined
  const [message] = createLineDecoder<FromVrrp>()(`${text}\n`)
  return message?.kind === 'transition' && message.service === service ? message.to : undefined
}
