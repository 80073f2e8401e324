/**
 * The demo's small world, all of it real but the cloud:
 *
 *    client ──┐                        switch 10.77.0.9
 *    n1 ──────┼── switch ──┬── control :8080 ──▶ EC2 :5000 (the lab's, which moves the Elastic IP)
 *    n2 ──────┘            └── a relay, so that another terminal reaches control
 *
 * Control is reached over the very cable that is cut, as it would be where there is only one network.
 */
import { join } from 'node:path'
import { type AgentProcess, startAgent } from '../agent.ts'
import { labCredentials } from '../clouds/ec2.ts'
import { type ControlProcess, startControl } from '../control.ts'
import type { LiveEvent, Prober } from '../prober.ts'
import { createLab, type Lab } from '../topology.ts'
import { startWebService } from '../web-service.ts'

export const virtualAddress = '10.77.0.50'
export const operatorToken = 'demo-operator-token'

export type World = {
  readonly lab: Lab
  readonly control: ControlProcess
  readonly agents: Readonly<Record<'n1' | 'n2', AgentProcess>>
  readonly prober: Prober
  /** Each change of the Elastic IP, as the cloud saw it; `at` is milliseconds of the wall clock. It grows. */
  readonly moves: readonly CloudMove[]
  /** When the client lost the service and when it was answered again. It grows. */
  readonly probes: readonly LiveEvent[]
  [Symbol.asyncDispose](): Promise<void>
}

export type CloudMove = { readonly at: number; readonly networkInterfaceId: string }

export const interfaces = { n1: 'eni-1', n2: 'eni-2' } as const

export async function createWorld(interval: string): Promise<World> {
  const lab = await createLab({ nodes: ['n1', 'n2'] })
  try {
    return await populate(lab, interval)
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function populate(lab: Lab, interval: string): Promise<World> {
  const probes: LiveEvent[] = []
  const moves: CloudMove[] = []
  const starting = [startCloud(lab, moves), startWebService(lab, 'n1'), startWebService(lab, 'n2')] as const
  const control = await startControl(lab, { config: controlConfig, env: cloudCredentials })
  await Promise.all(starting)
  const [n1, n2] = await Promise.all([
    startAgent(lab, 'n1', agentConfig('n1', 200, interval)),
    startAgent(lab, 'n2', agentConfig('n2', 100, interval)),
  ])
  const prober = await lab.probe({ target: virtualAddress, onEvent: (event) => probes.push(event) })
  return {
    lab,
    control,
    agents: { n1, n2 },
    prober,
    moves,
    probes,
    [Symbol.asyncDispose]: async () => {
      await control.kill()
      await lab[Symbol.asyncDispose]()
    },
  }
}

/** Latencies of the order that the real one has, scaled down by ten: the demo is about order, not about waiting. */
const cloudLatency = [
  { kind: 'latency', action: 'DescribeAddresses', ms: 10 },
  { kind: 'latency', action: 'AssociateAddress', ms: 40 },
]

const cloudCredentials = {
  AWS_ACCESS_KEY_ID: labCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: labCredentials.secretAccessKey,
}

async function startCloud(lab: Lab, moves: CloudMove[]): Promise<void> {
  const config = {
    addresses: [{ allocationId: 'eipalloc-1', publicIp: '198.51.100.7' }],
    interfaces: [
      { networkInterfaceId: interfaces.n1, instanceId: 'i-1', privateIpAddresses: ['10.0.0.11'] },
      { networkInterfaceId: interfaces.n2, instanceId: 'i-2', privateIpAddresses: ['10.0.0.12'] },
    ],
  }
  const ready = Promise.withResolvers<void>()
  const said: string[] = []
  const program = join(import.meta.dirname, '..', 'clouds', 'ec2-main.ts')
  const args = [
    program,
    '--listen',
    '10.77.0.9:5000',
    '--config',
    JSON.stringify(config),
    '--faults',
    JSON.stringify(cloudLatency),
  ]
  const cloud = await lab.spawn(process.execPath, args, {
    onLine(line, stream) {
      if (stream === 'stderr') return void said.push(line)
      const event = JSON.parse(line) as { listening?: string; event?: string; at: string; networkInterfaceId: string }
      if (event.listening !== undefined) ready.resolve()
      if (event.event === 'associated')
        moves.push({ at: Date.parse(event.at), networkInterfaceId: event.networkInterfaceId })
    },
  })
  void cloud.exited.then((code) => ready.reject(new Error(`the lab's EC2 ended (${code}): ${said.join(' ')}`)))
  await ready.promise
}

const controlConfig = {
  tokens: [
    { name: 'demo', role: 'operator', token: operatorToken },
    { name: 'n1', role: 'node', node: 'n1', token: 'demo-token-of-n1' },
    { name: 'n2', role: 'node', node: 'n2', token: 'demo-token-of-n2' },
  ],
  services: {
    web: {
      bindings: [
        {
          name: 'eip',
          adapter: 'aws-eip',
          config: { region: 'eu-west-1', allocationId: 'eipalloc-1', endpoint: 'http://10.77.0.9:5000' },
          targets: {
            n1: { networkInterfaceId: interfaces.n1, privateIpAddress: '10.0.0.11' },
            n2: { networkInterfaceId: interfaces.n2, privateIpAddress: '10.0.0.12' },
          },
        },
      ],
    },
  },
}

function agentConfig(node: 'n1' | 'n2', priority: number, interval: string) {
  const web = { interface: 'eth0', vrid: 51, priority, addresses: [`${virtualAddress}/24`], interval }
  return { control: { url: 'http://10.77.0.9:8080', token: `demo-token-of-${node}` }, services: { web } }
}
