/** The strict EC2 inside the lab, where control reaches it: one Elastic IP between n1 and n2, seen by node. */
import { join } from 'node:path'
import type { Ec2Change } from '../../infra/lab/clouds/ec2.ts'
import { labCredentials } from '../../infra/lab/clouds/ec2.ts'
import { createLog } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'

export type LabCloud = {
  /** Where the address points, after each change; it grows. */
  readonly moves: readonly string[]
  /** Resolves as soon as the address has been pointed at this node, counting from the `from`th move. */
  untilAt(node: string, from?: number): Promise<void>
  /** A service whose Elastic IP follows it. */
  readonly service: { readonly bindings: readonly unknown[] }
  readonly credentials: Readonly<Record<string, string>>
}

const places = {
  n1: { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.11' },
  n2: { networkInterfaceId: 'eni-2', privateIpAddress: '10.0.0.12' },
} as const

/** `latencyMs`: of each write, half of it before its effect. */
export async function startLabCloud(lab: Lab, latencyMs: number): Promise<LabCloud> {
  const allocationId = 'eipalloc-1'
  const world = {
    addresses: [{ allocationId, publicIp: '198.51.100.7' }],
    interfaces: Object.entries(places).map(([node, { networkInterfaceId, privateIpAddress }]) => {
      return { networkInterfaceId, instanceId: `i-${node}`, privateIpAddresses: [privateIpAddress] }
    }),
  }
  const faults = [{ kind: 'latency', action: 'AssociateAddress', ms: latencyMs }]
  const moves: string[] = []
  const log = createLog("the lab's EC2")
  const program = join(import.meta.dirname, '../../infra/lab/clouds/ec2-main.ts')
  const args = ['--listen', '10.77.0.9:5000', '--config', JSON.stringify(world), '--faults', JSON.stringify(faults)]
  const cloud = await lab.spawn(process.execPath, [program, ...args], {
    onLine: (line) => {
      const change = JSON.parse(line) as Partial<Ec2Change>
      const node = Object.entries(places).find(
        ([, place]) => place.networkInterfaceId === change.networkInterfaceId,
      )?.[0]
      if (change.event === 'associated') moves.push(node ?? 'elsewhere')
      log.add(change.event === 'associated' ? `at ${node}` : line)
    },
  })
  void cloud.exited.then((code) => log.end(`ended with ${code}`))
  await log.until(({ text }) => text.includes('"listening"'), 30_000)
  const config = { region: 'eu-west-1', allocationId, endpoint: 'http://10.77.0.9:5000' }
  return {
    moves,
    untilAt: async (node, from = 0) => {
      const lines = log.lines.map(({ text }, i) => ({ text, i })).filter(({ text }) => text.startsWith('at '))
      await log.until(({ text }) => text === `at ${node}`, 30_000, lines[from]?.i ?? log.lines.length)
    },
    service: { bindings: [{ name: 'eip', adapter: 'aws-eip', config, targets: places }] },
    credentials: {
      AWS_ACCESS_KEY_ID: labCredentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: labCredentials.secretAccessKey,
    },
  }
}
