/**
 * The agent's configuration: YAML to `AgentConfig`. Units become types here, and nothing behind this file doubts them.
 *
 * What the design describes and this version does not do yet is refused by name: a key that is accepted and has no
 * effect would be worse than an error.
 */
import { z } from 'zod'
import { duration, nearest, notInThisVersion, readConfig } from '../control/config-file.ts'
import { nameSchema } from '../control/contract.ts'
import type { VirtualRouter } from './vrrp/router.ts'
import { type Centiseconds, type Microseconds, milliseconds } from './vrrp/time.ts'
import { formatAddress, type Prefix, parseIpv4 } from './wire/address.ts'

export type AgentConfig = {
  readonly node: string
  readonly site: string
  /** Undefined: a plain VRRP daemon. */
  readonly control: { readonly url: string; readonly token: string } | undefined
  /** Path of the Unix socket for local status. */
  readonly socket: string
  readonly realtime: boolean
  readonly routers: readonly VirtualRouter[]
}

export type AgentConfigInput = {
  readonly file: string
  readonly text: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly hostName: string
  /** The interfaces of this machine; undefined when the file is for another one. */
  readonly interfaces: readonly string[] | undefined
}

/** The configuration, or a `ConfigError` that names every mistake by file, line and key. */
export function readAgentConfig({ hostName, interfaces, ...input }: AgentConfigInput): AgentConfig {
  const { services, node, ...config } = readConfig({ ...input, schema: agentConfigSchema(interfaces) })
  const routers = Object.entries(services).map(([name, service]) => toRouter(name, service))
  return { ...config, node: node ?? nodeName(hostName), control: config.control, routers }
}

/** A host name may carry a domain; a node's name is its first label. */
function nodeName(hostName: string): string {
  return hostName.split('.')[0] || 'node'
}

export function agentConfigSchema(interfaces: readonly string[] | undefined) {
  return z
    .strictObject({
      node: nameSchema.optional(),
      site: nameSchema.default('default'),
      control: controlSchema.optional(),
      socket: z.string().startsWith('/').max(107).default('/run/holdfast/agent.sock').describe('an absolute path'),
      realtime: z.boolean().default(true),
      services: z
        .record(nameSchema, serviceSchema(interfaces))
        .refine((services) => Object.keys(services).length > 0, 'must name at least one service')
        .superRefine(refuseClashes),
      metrics: notInThisVersion('a metrics listener is', 'leave it out; holdfast status --json shows the counters'),
      checks: notInThisVersion('health checks are', 'leave them out'),
      groups: notInThisVersion('groups are', 'leave them out'),
    })
    .transform(({ metrics: _, checks: __, groups: ___, ...config }) => config)
}

const controlSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('such as http://10.0.0.9:8080'),
  token: z.string().min(1).meta({ secret: true }),
})

type Service = z.output<ReturnType<typeof serviceSchema>>

function serviceSchema(interfaces: readonly string[] | undefined) {
  return z
    .strictObject({
      interface: interfaceSchema(interfaces),
      vrid: z.int().min(1).max(255).describe('a virtual router id, the same on all nodes of a service'),
      priority: z.int().min(1).max(255).default(100).describe('255 is the address owner'),
      addresses: z.array(addressSchema).min(1).max(255),
      interval: duration({ min: '10ms', max: '40.95s' })
        .refine((length) => length % 10 === 0, {
          message: 'must be whole hundredths of a second',
          params: { hint: 'write 10ms, 20ms, …' },
        })
        .default(1_000),
      version: z
        .literal(3)
        .or(notYet(2, 'VRRP version 2 is', 'write 3, and set version 3 on the other nodes'))
        .default(3),
      checksum: z.enum(['rfc9568', 'rfc5798']).default('rfc9568'),
      preempt: z.union([z.boolean(), z.strictObject({ delay: duration({ max: '1h' }) })]).default(true),
      announce: announceSchema.prefault({}),
      resign: z.enum(['handover', 'now']).default('handover'),
      accept: z
        .literal(true)
        .or(notYet(false, 'accept: false is', 'leave it out: the active node accepts packets'))
        .default(true),
      virtualMac: z
        .literal(false)
        .or(notYet(true, 'a virtual MAC is', 'leave it out: gratuitous ARP moves hosts'))
        .default(false),
      onLost: z
        .enum(['hold', 'release', 'failsafe'])
        .default('hold')
        .refine((policy) => policy === 'hold', {
          message: 'is not in this version',
          params: { hint: 'write hold or leave it out: VRRP goes on without control' },
        }),
      unicast: notInThisVersion('unicast is', 'leave it out: advertisements go to 224.0.0.18'),
      authentication: notInThisVersion('authentication is', 'leave it out; VRRP version 3 has none'),
      checks: notInThisVersion('health checks are', 'leave them out'),
      mode: notInThisVersion('a mode (solo) is', 'leave it out'),
    })
    .transform(({ version: _, accept: __, virtualMac: ___, onLost: ____, ...service }) => service)
}

function interfaceSchema(interfaces: readonly string[] | undefined) {
  return z
    .string()
    .min(1)
    .max(15)
    .superRefine((name, context) => {
      if (interfaces === undefined || interfaces.includes(name)) return
      const near = nearest(name, interfaces)
      const hint =
        near === undefined ? `it has ${interfaces.join(', ')}` : `did you mean ${near}? it has ${interfaces.join(', ')}`
      context.addIssue({ code: 'custom', message: `there is no interface ${name} on this machine`, params: { hint } })
    })
}

const addressHint = 'write an IPv4 address with the length of its network, such as 10.77.0.50/24'

const addressSchema = z.string().transform((text, context): Prefix => {
  const problem = (message: string, hint: string): never => {
    context.issues.push({ code: 'custom', input: text, message, params: { hint } })
    return z.NEVER
  }
  if (text.includes(':')) return problem('IPv6 is not in this version', addressHint)
  const [address, length, ...rest] = text.split('/')
  const octets = parseIpv4(address ?? '')
  if (octets === undefined || rest.length > 0) return problem(`must be an address; got "${text}"`, addressHint)
  if (length === undefined || !/^\d{1,2}$/.test(length) || Number(length) < 1 || Number(length) > 32) {
    return problem(`needs a prefix length of 1..32; got "${text}"`, addressHint)
  }
  if (octets[0] === 0 || octets[0] === 127 || octets[0]! >= 224)
    return problem(`${address} is no address of a host`, addressHint)
  return { address: octets, prefixLength: Number(length) }
})

const announceSchema = z.strictObject({
  repeat: z.int().min(1).max(60).default(5),
  again: duration({ max: '1h' }).default(5_000),
  refresh: duration({ max: '24h' }).default(60_000),
})

function notYet(value: number | boolean, what: string, hint: string) {
  return z.literal(value).refine(() => false, { message: `${what} not in this version`, params: { hint } })
}

/** Two services of one interface with one VRID would be one virtual router; two with one address would fight. */
function refuseClashes(services: Readonly<Record<string, Service>>, context: z.RefinementCtx): void {
  const routers = new Map<string, string>()
  const addresses = new Map<string, string>()
  for (const [name, service] of Object.entries(services)) {
    const router = `${service.interface} ${service.vrid}`
    const other = routers.get(router)
    if (other !== undefined) {
      const hint = 'give each service of an interface its own vrid'
      context.addIssue({
        code: 'custom',
        path: [name, 'vrid'],
        message: `is the vrid of ${other} already`,
        params: { hint },
      })
    }
    routers.set(router, name)
    for (const [i, { address }] of service.addresses.entries()) {
      const text = formatAddress(address)
      const owner = addresses.get(text)
      if (owner !== undefined) {
        context.addIssue({
          code: 'custom',
          path: [name, 'addresses', i],
          message: `${text} is an address of ${owner} already`,
        })
      }
      addresses.set(text, name)
    }
  }
}

function toRouter(name: string, { preempt, interval, announce, ...service }: Service): VirtualRouter {
  const centiseconds = Math.round(interval / 10) as Centiseconds
  return {
    name,
    interface: service.interface,
    vrid: service.vrid,
    priority: service.priority,
    addresses: service.addresses,
    checksum: service.checksum,
    resign: service.resign,
    preemptMode: preempt !== false,
    preemptDelay: typeof preempt === 'object' ? milliseconds(preempt.delay) : (0 as Microseconds),
    advertisementInterval: centiseconds,
    announce: { repeat: announce.repeat, again: milliseconds(announce.again), refresh: milliseconds(announce.refresh) },
  }
}
