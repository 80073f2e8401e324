/** What the strict Compute Engine does with a call, and what it refuses. */
import { z } from 'zod'
import { type GoogleOperation, type GoogleState, json, type Nic, type Route, refuse } from './google.ts'
import type { Asked, Call, Performed } from './strict-cloud.ts'

type Context = { readonly asked: Asked; readonly now: Date; readonly operationMs: number }
type Done = Performed<GoogleState>

export const fingerprintOf = ({ name, version }: Nic): string => Buffer.from(`${name}:${version}`).toString('base64')

export function perform(state: GoogleState, call: Call, context: Context): Done {
  const rule = rules[call.action]
  return rule === undefined ? { reply: refuse('notFound', 'no such method') } : rule(state, call, context)
}

const rules: Readonly<Record<string, (state: GoogleState, call: Call, context: Context) => Done>> = {
  getInstance: (state, { params: { zone, instance } }) => {
    const nics = own(state.instances, `${zone}/${instance}`)
    if (nics === undefined) return missing(`instances/${instance}`)
    const networkInterfaces = nics.map((nic) => {
      const { version: _, aliasIpRanges, ...rest } = nic
      // An empty list is left out, as Google does.
      return { ...rest, fingerprint: fingerprintOf(nic), ...(aliasIpRanges.length > 0 ? { aliasIpRanges } : {}) }
    })
    return { reply: json(200, { kind: 'compute#instance', name: instance, networkInterfaces }) }
  },
  updateNetworkInterface,
  getOperation: (state, { params: { operation = '' } }, { now }) => {
    const found = own(state.operations, operation)
    return found === undefined ? missing(operation) : { reply: json(200, shown(operation, found, now)) }
  },
  getSubnetwork: (_state, { params: { subnet } }) => {
    if (subnet !== 'main') return missing(`subnetworks/${subnet}`)
    const secondaryIpRanges = [{ rangeName: 'vips', ipCidrRange: '10.1.0.0/24' }]
    return { reply: json(200, { name: subnet, ipCidrRange: '10.0.0.0/24', secondaryIpRanges }) }
  },
  getNetwork: (_state, { params: { network } }) => {
    return network === 'default' ? { reply: json(200, { name: network }) } : missing(`networks/${network}`)
  },
  getRoute: (state, { params: { route = '' } }) => {
    const found = own(state.routes, route)
    return found === undefined ? missing(`routes/${route}`) : { reply: json(200, { kind: 'compute#route', ...found }) }
  },
  deleteRoute: (state, { params: { route = '' } }, context) => {
    const found = own(state.routes, route) ?? Object.values(state.routes).find(({ id }) => id === route)
    if (found === undefined) return missing(`routes/${route}`)
    const { [found.name]: _, ...rest } = state.routes
    return accepted({ ...state, routes: rest }, context)
  },
  insertRoute,
}

function own<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function missing(what: string): Done {
  return { reply: refuse('notFound', `The resource '${what}' was not found`) }
}

function shown(name: string, { doneAt, error }: GoogleOperation, now: Date): object {
  if (now.getTime() < doneAt) return { kind: 'compute#operation', name, status: 'RUNNING' }
  const failed = error === undefined ? {} : { httpErrorStatusCode: 400, error: { errors: [error] } }
  return { kind: 'compute#operation', name, status: 'DONE', ...failed }
}

function accepted(state: GoogleState, { now, operationMs }: Context, error?: GoogleOperation['error']): Done {
  const name = `operation-${state.count + 1}`
  const operation = { doneAt: now.getTime() + operationMs, ...(error === undefined ? {} : { error }) }
  return {
    reply: json(200, { kind: 'compute#operation', name, status: 'RUNNING' }),
    state: { ...state, operations: { ...state.operations, [name]: operation }, count: state.count + 1 },
  }
}

const updateSchema = z.strictObject({
  fingerprint: z.string().optional(),
  aliasIpRanges: z.array(z.strictObject({ ipCidrRange: z.string(), subnetworkRangeName: z.string().optional() })),
})

function bodyOf<Schema extends z.ZodType>(body: string, schema: Schema): z.output<Schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(body)).data
  } catch {
    return undefined
  }
}

function updateNetworkInterface(state: GoogleState, { params }: Call, context: Context): Done {
  const key = `${params.zone}/${params.instance}`
  const nics = own(state.instances, key)
  if (nics === undefined) return missing(`instances/${params.instance}`)
  const nic = nics.find(({ name }) => name === params.networkInterface)
  if (nic === undefined) return { reply: refuse('invalid', `no network interface ${params.networkInterface}`) }
  const body = bodyOf(context.asked.body, updateSchema)
  if (body === undefined) return { reply: refuse('invalid', 'aliasIpRanges and fingerprint, as documented') }
  if (body.fingerprint === undefined) return { reply: refuse('required', "Required field 'fingerprint' not specified") }
  if (body.fingerprint !== fingerprintOf(nic)) {
    return { reply: refuse('conditionNotMet', 'Supplied fingerprint does not match current metadata fingerprint.') }
  }
  const elsewhere = Object.entries(state.instances).flatMap(([at, each]) =>
    each.filter(({ name }) => at !== key || name !== nic.name).flatMap(({ aliasIpRanges }) => aliasIpRanges),
  )
  const taken = body.aliasIpRanges.find(({ ipCidrRange }) => elsewhere.some((one) => one.ipCidrRange === ipCidrRange))
  if (taken !== undefined) {
    const message = `IP '${taken.ipCidrRange}' is already being used by another resource.`
    return accepted(state, context, { code: 'IP_IN_USE_BY_ANOTHER_RESOURCE', message })
  }
  const next = { ...nic, version: nic.version + 1, aliasIpRanges: body.aliasIpRanges }
  const changed = nics.map((each) => (each === nic ? next : each))
  return accepted({ ...state, instances: { ...state.instances, [key]: changed } }, context)
}

const routeSchema = z.strictObject({
  name: z.string().regex(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/),
  network: z.string().regex(/\/global\/networks\//),
  destRange: z.string(),
  priority: z.int().min(0).max(65_535).default(1000),
  description: z.string().optional(),
  tags: z.array(z.string()).optional(),
  nextHopInstance: z.string().optional(),
  nextHopIp: z.string().optional(),
})

function insertRoute(state: GoogleState, _call: Call, context: Context): Done {
  const body = bodyOf(context.asked.body, routeSchema)
  if (body === undefined) return { reply: refuse('invalid', 'a route, as documented') }
  if ((body.nextHopInstance === undefined) === (body.nextHopIp === undefined)) {
    return { reply: refuse('invalid', 'exactly one next hop') }
  }
  if (own(state.routes, body.name) !== undefined) {
    return { reply: refuse('alreadyExists', `The resource 'routes/${body.name}' already exists`) }
  }
  const route: Route = { ...body, id: String(state.count + 1) }
  return accepted({ ...state, routes: { ...state.routes, [body.name]: route } }, context)
}
