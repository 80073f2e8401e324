/**
 * What a service is to control, and its schema: the same text in a configuration file and in the body of
 * `PUT /v1/services/{service}`.
 */
import { z } from 'zod'
import type { AdapterSchema, DriftPolicy } from '../../adapters/adapter.ts'
import { nameSchema } from '../contract.ts'
import { duration } from './config-file.ts'

export type BindingConfig = {
  readonly name: string
  readonly adapter: string
  /** Checked by the adapter's own schema, and opaque from then on. */
  readonly config: unknown
  /** What is done about a change that somebody else made. */
  readonly drift: DriftPolicy
  /** Bindings of the same service that come first. */
  readonly after: readonly string[]
  readonly targets: Readonly<Record<string, unknown>>
}

/** How a preferred site that has recovered gets the service back. */
export type Failback =
  /** As soon as it has a fresh, healthy, active node. */
  | { readonly kind: 'automatic' }
  /** When it has had one without a break for `delayMs`. */
  | { readonly kind: 'delayed'; readonly delayMs: number }
  /** When an operator moves it. */
  | { readonly kind: 'manual' }

export type ProbeConfig = {
  readonly target: { readonly kind: 'http'; readonly url: string } | { readonly kind: 'tcp'; readonly address: string }
  readonly intervalMs: number
  /** How long one probe may take, in milliseconds. */
  readonly timeoutMs: number
  /** So many good probes in a row make it healthy. */
  readonly rise: number
  /** So many bad ones make it unhealthy. */
  readonly fall: number
}

export type Origin = {
  /** Where the edge sends requests for this site. Null: it sends none. */
  readonly url: string | null
  /** How control finds out whether the site serves. Null: its nodes' word is enough. */
  readonly probe: ProbeConfig | null
}

export type ServiceConfig = {
  /** How long the present owner is asked before a rival is believed, in milliseconds. */
  readonly confirmMs: number
  /** The nodes that may take part. Null: every node. */
  readonly nodes: readonly string[] | null
  /** Preferred first; a site that is not named comes last. Empty: all sites are equal. */
  readonly sites: readonly string[]
  readonly failback: Failback
  /** More than `moves` moves that nobody asked for within `perMs` suppress the next, for `holdDownMs` at first. */
  readonly flap: { readonly moves: number; readonly perMs: number; readonly holdDownMs: number }
  /** What to do about a target with an epoch that this control never minted. */
  readonly higherEpoch: 'stop' | 'adopt'
  /** Host names whose requests the edge sends to the owner's origin. */
  readonly hosts: readonly string[]
  /** By site. */
  readonly origins: Readonly<Record<string, Origin>>
  /** Looks at the service as its clients do, through the address that moves. Null: nobody looks. */
  readonly probe: ProbeConfig | null
  readonly bindings: readonly BindingConfig[]
}

/** What a binding does that says nothing of it. */
export const bindingDefaults = { drift: 'reassert', after: [] } as const satisfies Partial<BindingConfig>

/** What a service is that only says its name. */
export const serviceDefaults: ServiceConfig = {
  confirmMs: 150,
  nodes: null,
  sites: [],
  failback: { kind: 'automatic' },
  flap: { moves: 10, perMs: 300_000, holdDownMs: 60_000 },
  higherEpoch: 'stop',
  hosts: [],
  origins: {},
  probe: null,
  bindings: [],
}

/** An adapter's schemas without their types: control never looks inside. */
export type AnyAdapterSchema = Pick<AdapterSchema<z.ZodType, z.ZodType>, 'name' | 'config' | 'target' | 'check'>

export function serviceSchema(adapters: readonly AnyAdapterSchema[]): z.ZodType<ServiceConfig, unknown> {
  return z
    .strictObject({
      confirm: duration({ min: '10ms', max: '10s' }).default(serviceDefaults.confirmMs),
      nodes: z.array(nameSchema).min(1).optional(),
      sites: z.array(nameSchema).default([]).superRefine(refuseRepeats),
      failback: failbackSchema.default(serviceDefaults.failback),
      flap: flapSchema.prefault({}),
      higherEpoch: z.enum(['stop', 'adopt']).default('stop'),
      hosts: z.array(hostSchema).default([]).superRefine(refuseRepeats),
      origins: z.record(nameSchema, originSchema).default({}),
      probe: probeSchema.optional(),
      bindings: bindingsSchema(adapters),
    })
    .superRefine(({ hosts, origins }, context) => {
      if (hosts.length === 0 || Object.values(origins).some(({ url }) => url !== null)) return
      const params = { hint: 'write origins: {dc1: {url: "https://dc1.example.com"}}' }
      context.addIssue({ code: 'custom', path: ['hosts'], message: 'need an origin with a url', params })
    })
    .transform(({ confirm, probe, nodes, ...service }) => ({
      ...service,
      confirmMs: confirm,
      nodes: nodes ?? nodesOf(service.bindings),
      probe: probe ?? null,
    }))
}

/** Without a list of nodes, whoever has a target may take part; without bindings, everybody. */
function nodesOf(bindings: readonly BindingConfig[]): readonly string[] | null {
  if (bindings.length === 0) return null
  return [...new Set(bindings.flatMap(({ targets }) => Object.keys(targets)))].toSorted()
}

const failbackSchema = z.union([
  z.enum(['automatic', 'manual']).transform((kind): Failback => ({ kind })),
  z
    .strictObject({ delay: duration({ min: '1s', max: '24h' }) })
    .transform(({ delay }): Failback => ({ kind: 'delayed', delayMs: delay })),
])

const flapSchema = z
  .strictObject({
    moves: z.int().min(1).max(1_000).default(serviceDefaults.flap.moves),
    per: duration({ min: '1s', max: '24h' }).default(serviceDefaults.flap.perMs),
    holdDown: duration({ min: '1s', max: '1h' }).default(serviceDefaults.flap.holdDownMs),
  })
  .transform(({ moves, per, holdDown }) => ({ moves, perMs: per, holdDownMs: holdDown }))

const hostSchema = z
  .string()
  .regex(
    /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'must be a host name in small letters',
  )

const httpUrl = () => z.url({ protocol: /^https?$/ }).describe('such as https://dc1.example.com')

const probeSchema = z
  .strictObject({
    http: httpUrl().optional(),
    tcp: z
      .string()
      .regex(/^(\[[0-9A-Fa-f:.]+\]|[^[\]:\s]+):\d{1,5}$/, 'must be an address and a port, such as 203.0.113.7:443')
      .optional(),
    interval: duration({ min: '100ms', max: '1h' }).default(5_000),
    timeout: duration({ min: '10ms', max: '1m' }).default(2_000),
    rise: z.int().min(1).max(100).default(2),
    fall: z.int().min(1).max(100).default(3),
  })
  .superRefine(({ http, tcp }, context) => {
    if ((http === undefined) !== (tcp === undefined)) return
    const params = { hint: 'write http: and a URL, or tcp: and an address with its port' }
    context.addIssue({ code: 'custom', message: 'must look at one thing', params })
  })
  .transform(({ http, tcp, interval, timeout, rise, fall }): ProbeConfig => {
    const target =
      http === undefined ? ({ kind: 'tcp', address: tcp ?? '' } as const) : ({ kind: 'http', url: http } as const)
    return { target, intervalMs: interval, timeoutMs: timeout, rise, fall }
  })

const originSchema = z
  .strictObject({ url: httpUrl().optional(), probe: probeSchema.optional() })
  .transform(({ url, probe }): Origin => ({ url: url ?? null, probe: probe ?? null }))

function refuseRepeats(values: readonly string[], context: z.RefinementCtx): void {
  for (const [i, value] of values.entries()) {
    if (values.indexOf(value) < i) context.addIssue({ code: 'custom', path: [i], message: `${value} is given twice` })
  }
}

function bindingsSchema(adapters: readonly AnyAdapterSchema[]): z.ZodType<readonly BindingConfig[], unknown> {
  const [first, ...rest] = adapters.map(bindingSchema)
  if (first === undefined) throw new Error('control needs at least one adapter')
  return z
    .array(z.discriminatedUnion('adapter', [first, ...rest]))
    .default([])
    .superRefine((bindings, context) => {
      for (const [i, { name }] of bindings.entries()) {
        const same = bindings.findIndex((other) => other.name === name)
        if (same >= i) continue
        context.addIssue({ code: 'custom', path: [i, 'name'], message: `is already the name of bindings[${same}]` })
      }
      refuseImpossibleOrder(bindings, context)
    })
}

function refuseImpossibleOrder(bindings: readonly BindingConfig[], context: z.RefinementCtx): void {
  const named = new Map(bindings.map(({ name, after }) => [name, after]))
  const comesAfter = (name: string, other: string, seen: readonly string[] = []): boolean =>
    !seen.includes(name) &&
    (named.get(name) ?? []).some((first) => first === other || comesAfter(first, other, [...seen, name]))
  for (const [i, { name, after }] of bindings.entries()) {
    for (const [j, first] of after.entries()) {
      const path = [i, 'after', j]
      if (!named.has(first)) context.addIssue({ code: 'custom', path, message: `no binding here is called ${first}` })
      else if (first === name || comesAfter(first, name)) {
        context.addIssue({ code: 'custom', path, message: `${first} comes after ${name} already` })
      }
    }
  }
}

function bindingSchema(adapter: AnyAdapterSchema) {
  return z
    .strictObject({
      name: nameSchema,
      adapter: z.literal(adapter.name),
      config: adapter.config,
      drift: z.enum(['reassert', 'alert', 'freeze']).default(bindingDefaults.drift),
      after: z.array(nameSchema).default([]).superRefine(refuseRepeats),
      targets: z
        .record(nameSchema, adapter.target)
        .refine((targets) => Object.keys(targets).length > 0, 'must name at least one node and its target'),
    })
    .superRefine(({ config, drift }, context) => {
      const mistake = adapter.check?.({ config, drift }) ?? null
      if (mistake === null) return
      const { path, message, hint } = mistake
      context.addIssue({ code: 'custom', path: [...path], message, params: { hint } })
    })
}
