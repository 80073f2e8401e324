/**
 * The agent's configuration: YAML to `AgentConfig`. Units become types here, and nothing behind this file doubts them.
 *
 * What the design describes and this version does not do yet is refused by name: a key that is accepted and has no
 * effect would be worse than an error.
 */
import { z } from 'zod'
import { type ConfigProblem, type Given, nearest, notInThisVersion, readGiven } from '../control/config/config-file.ts'
import { nameSchema } from '../control/contract.ts'
import type { Check, ServiceCheck } from './checks/check.ts'
import { checkSchema } from './config/checks.ts'
import { type Endpoint, endpointSchema } from './config/fields.ts'
import { refuseClashes, type Service, serviceSchema } from './config/services.ts'
import { passwordOctets, toRouter } from './config/virtual-router.ts'
import { leaveMsOf } from './lapse.ts'
import type { OnLost } from './link/lease.ts'
import type { VirtualRouter } from './vrrp/router.ts'

export type AgentConfig = {
  readonly node: string
  readonly site: string
  /** Undefined: a plain VRRP daemon. */
  readonly control: { readonly url: string; readonly token: string } | undefined
  /** Path of the Unix socket for local status. */
  readonly socket: string
  readonly realtime: boolean
  /** What the VRRP process runs: one for each service that is not solo. */
  readonly routers: readonly VirtualRouter[]
  /** All services, with what the supervisor does for each. */
  readonly services: readonly ServiceRules[]
  readonly checks: Readonly<Record<string, Check>>
  /** Whom `onLost: failsafe` asks, and where this node answers them. */
  readonly peers: Peers | undefined
  /** What works, and not as it is written. */
  readonly warnings: readonly ConfigProblem[]
}

export type ServiceRules = {
  readonly name: string
  /** Without VRRP: active whenever healthy. */
  readonly solo: boolean
  readonly priority: number
  readonly checks: readonly ServiceCheck[]
  readonly onLost: OnLost
  /** How long it takes to leave when its lease on control ends, in milliseconds. */
  readonly leaveMs: number
  /** Whether the active node takes packets to the addresses; one that does not drops them (RFC 9568 §6.1). */
  readonly accept: boolean
  /** What it does when control says that another node owns the service while this one is active too. */
  readonly split: 'keep' | 'yield'
}

export type Peers = { readonly listen: Endpoint; readonly nodes: Readonly<Record<string, Endpoint>> }

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
  const schema = agentConfigSchema(interfaces, nodeName(hostName))
  const given = readGiven({ ...input, schema })
  const { services, control, peers, ...config } = given.value
  const entries = Object.entries(services)
  return {
    ...config,
    control,
    peers,
    routers: entries.flatMap(([name, service]) => (service.mode === 'solo' ? [] : [toRouter(name, service)])),
    services: entries.map(([name, service]) => toRules(name, service)),
    warnings: entries.flatMap(([name, service]) => warningsOf(name, service, input.file, given)),
  }
}

/** keepalived cuts a long password off too, so it stays what its nodes speak. */
function warningsOf(name: string, service: Service, file: string, { lineOf }: Given<unknown>): ConfigProblem[] {
  if (service.mode === 'solo' || service.authentication === undefined) return []
  if (new TextEncoder().encode(service.authentication.password).length <= passwordOctets) return []
  const path = ['services', name, 'authentication', 'password']
  const message = `is longer than ${passwordOctets} octets, all that version 2 carries; the rest is left out`
  return [{ file, line: lineOf(path), key: path.join('.'), message }]
}

/** A host name may carry a domain; a node's name is its first label. */
function nodeName(hostName: string): string {
  return hostName.split('.')[0] || 'node'
}

/** What the file must be. `defaultNode`: where it does not name the node. */
export function agentConfigSchema(interfaces: readonly string[] | undefined, defaultNode: string) {
  return z
    .strictObject({
      node: nameSchema.default(defaultNode),
      site: nameSchema.default('default'),
      control: controlSchema.optional(),
      socket: z.string().startsWith('/').max(107).default('/run/holdfast/agent.sock').describe('an absolute path'),
      realtime: z.boolean().default(true),
      services: z
        .record(nameSchema, serviceSchema(interfaces))
        .refine((services) => Object.keys(services).length > 0, 'must name at least one service')
        .superRefine(refuseClashes),
      checks: z.record(nameSchema, checkSchema(interfaces)).default({}),
      peers: peersSchema.optional(),
      metrics: notInThisVersion('a metrics listener is', 'leave it out; holdfast status --json shows the counters'),
      groups: notInThisVersion('groups are', 'leave them out'),
    })
    .superRefine(refuseUnknownChecks)
    .superRefine(refuseLonely)
    .transform(({ metrics: _, groups: __, ...config }) => config)
}

const controlSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('such as http://10.0.0.9:8080'),
  token: z.string().min(1).meta({ secret: true }),
})

const peersSchema = z.strictObject({
  listen: endpointSchema,
  nodes: z
    .record(nameSchema, endpointSchema)
    .refine((nodes) => Object.keys(nodes).length > 0, 'must name at least one node'),
})

type Parsed = {
  readonly node: string
  readonly control?: unknown
  readonly services: Readonly<Record<string, Service>>
  readonly checks: Readonly<Record<string, Check>>
  readonly peers?: Peers | undefined
}

function refuseUnknownChecks({ services, checks }: Parsed, context: z.RefinementCtx): void {
  const known = Object.keys(checks)
  for (const [name, service] of Object.entries(services)) {
    for (const [i, { check }] of service.checks.entries()) {
      const path = ['services', name, 'checks', i]
      const twice = service.checks.findIndex((other) => other.check === check) !== i
      if (twice) context.addIssue({ code: 'custom', path, message: `names ${check} a second time` })
      if (known.includes(check)) continue
      const near = nearest(check, known)
      const have = known.length === 0 ? 'add it under checks:' : `there are ${known.join(', ')}`
      const hint = near === undefined ? have : `did you mean ${near}?`
      context.addIssue({ code: 'custom', path, message: `there is no check ${check}`, params: { hint } })
    }
  }
}

/** A key that needs control or peers means nothing without them. */
function refuseLonely({ node, services, control, peers }: Parsed, context: z.RefinementCtx): void {
  const refuse = (path: (string | number)[], message: string, hint: string): void =>
    context.addIssue({ code: 'custom', path, message, params: { hint } })
  for (const [name, service] of Object.entries(services)) {
    const { onLost } = service
    const needsControl = 'means nothing without control'
    if (control === undefined && onLost !== 'hold')
      refuse(['services', name, 'onLost'], needsControl, 'add control: {url, token}, or leave it out')
    if (control === undefined && service.mode === 'vrrp' && service.split !== 'keep')
      refuse(['services', name, 'split'], needsControl, 'add control: {url, token}, or leave it out')
    if (onLost === 'failsafe' && peers === undefined) {
      const hint = 'add peers: {listen: "10.77.0.1:9556", nodes: {n2: "10.77.0.2:9556"}} beside services:'
      refuse(['services', name, 'onLost'], 'failsafe asks peers, and none are configured', hint)
    }
  }
  if (peers !== undefined && Object.hasOwn(peers.nodes, node))
    refuse(['peers', 'nodes', node], 'is this node itself', 'name the other nodes of its services only')
}

function toRules(name: string, service: Service): ServiceRules {
  const { priority, checks, onLost } = service
  const rules = { name, priority, checks, onLost }
  if (service.mode === 'solo') return { ...rules, solo: true, accept: true, split: 'keep', leaveMs: 0 }
  const { accept, split } = service
  return { ...rules, solo: false, accept, split, leaveMs: leaveMsOf(toRouter(name, service)) }
}
