/** A strict EC2 for one service with one Elastic IP, seen as the test sees it: by nodes. */
import { createEc2, dryRun, type Ec2, type Ec2Call, type Ec2Change } from '../../infra/lab/clouds/ec2.ts'

const allocationId = 'eipalloc-0'

export type Cloud = {
  readonly ec2: Ec2
  /** A service whose Elastic IP follows it. */
  readonly service: { readonly confirm: string; readonly bindings: readonly unknown[] }
  /** Where the address points now: a node, null for nowhere. */
  at(): string | null
  /** Calls that write, oldest first, by node. */
  writes(): readonly { readonly node: string; readonly outcome: string }[]
  reads(): number
  /** Somebody else points the address elsewhere. */
  moveTo(node: string | null): void
}

export type CloudOptions = {
  readonly nodes: readonly string[]
  readonly confirm?: string
  readonly listen?: { readonly host: string; readonly port: number }
  readonly onChange?: (change: Ec2Change) => void
}

export async function startCloud({ nodes, confirm = '150ms', listen, onChange }: CloudOptions): Promise<Cloud> {
  const places = nodes.map((node, i) => ({
    node,
    networkInterfaceId: `eni-${i + 1}`,
    privateIpAddress: `10.0.0.${11 + i}`,
  }))
  const ec2 = await createEc2({
    addresses: [{ allocationId, publicIp: '203.0.113.1' }],
    interfaces: places.map(({ networkInterfaceId, privateIpAddress }, i) => {
      return { networkInterfaceId, instanceId: `i-${i + 1}`, privateIpAddresses: [privateIpAddress] }
    }),
    ...(listen === undefined ? {} : { listen }),
    ...(onChange === undefined ? {} : { onChange }),
  })
  const nodeOf = (networkInterfaceId: string | undefined): string =>
    places.find((place) => place.networkInterfaceId === networkInterfaceId)?.node ?? 'elsewhere'
  const isWrite = ({ action }: Ec2Call): boolean => !action.startsWith('Describe') && !action.endsWith(dryRun)
  const targets = Object.fromEntries(places.map(({ node, ...target }) => [node, target]))
  const config = { region: 'eu-west-1', allocationId, endpoint: ec2.url }
  return {
    ec2,
    service: { confirm, bindings: [{ name: 'eip', adapter: 'aws-eip', config, targets }] },
    at: () => {
      const { association } = ec2.state().addresses[0]!
      return association === null ? null : nodeOf(association.networkInterfaceId)
    },
    writes: () =>
      ec2.requests.filter(isWrite).map(({ params, outcome }) => ({ node: nodeOf(params.NetworkInterfaceId), outcome })),
    reads: () => ec2.requests.filter(({ action }) => action.startsWith('Describe')).length,
    moveTo: (node) => {
      const place = places.find((known) => known.node === node)
      if (place === undefined) return ec2.setOutOfBand(allocationId, null)
      const { networkInterfaceId, privateIpAddress } = place
      ec2.setOutOfBand(allocationId, { networkInterfaceId, privateIpAddress })
    },
  }
}
