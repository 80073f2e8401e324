/**
 * A strict Route 53 on this machine: what it takes to read and change records, with AWS's rules (`route53-rules.ts`) and
 * AWS's wire format (`route53-wire.ts`), and every way of going wrong (`strict-cloud.ts`).
 */
import { randomUUID } from 'node:crypto'
import { labCredentials } from './ec2.ts'
import {
  byPlace,
  canonicalName,
  changed,
  page,
  type RecordSet,
  type Refusal,
  type Route53State,
  refusal,
  zoneOf,
} from './route53-rules.ts'
import { answerXml, errorXml, parseBatch, parseRequest, setTree, type Tree } from './route53-wire.ts'
import { type Credentials, signatureProblem } from './sigv4.ts'
import {
  type Asked,
  type Call,
  type CloudOptions,
  createStrictCloud,
  type Performed,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

export type Route53Options = CloudOptions & {
  readonly zones: readonly {
    readonly id: string
    readonly name: string
    readonly sets?: readonly RecordSet[]
    readonly protected?: readonly string[]
  }[]
  /** Who may call. Default: `labCredentials`. */
  readonly credentials?: readonly Credentials[]
}

/** Times in milliseconds that the lab sets: how long a change is PENDING, and how long it keeps others of its zone out. */
export type Route53Pace = { readonly insyncMs: number; readonly exclusiveMs: number }

export type Route53 = Omit<StrictCloud<Route53State>, 'setOutOfBand'> & {
  /** Somebody else replaces all sets of these types that a name has. */
  setOutOfBand(zoneId: string, name: string, types: readonly string[], sets: readonly RecordSet[]): void
  pace(pace: Partial<Route53Pace>): void
}

type World = {
  readonly credentials: readonly Credentials[]
  readonly now: () => number
  readonly newId: () => string
  pace: Route53Pace
}

export async function createRoute53Cloud(options: Route53Options): Promise<Route53> {
  const { zones, credentials = [labCredentials], timers } = options
  const world: World = {
    credentials,
    now: timers === undefined ? () => performance.now() : timers.now,
    newId: changeIds(),
    pace: { insyncMs: 0, exclusiveMs: 0 },
  }
  const cloud = await createStrictCloud<Route53State>({
    ...options,
    initial: { zones: zones.map(zoneFrom), changes: [] },
    protocol: {
      read: (asked, now) => readCall(asked, { credentials, now }),
      perform: (state, call, { asked }) => perform(world, state, { call, body: asked.body }),
      refuse: (code, message) => errorReply(refusal(code, message)),
    },
  })
  return {
    ...cloud,
    setOutOfBand: (zoneId, name, types, sets) =>
      cloud.setOutOfBand((state) => ({
        ...state,
        zones: state.zones.map((zone) => {
          if (zone.id !== zoneId) return zone
          const others = zone.sets.filter((set) => set.name !== canonicalName(name) || !types.includes(set.type))
          return { ...zone, sets: [...others, ...sets.map(named)].sort(byPlace) }
        }),
      })),
    pace: (pace) => {
      world.pace = { ...world.pace, ...pace }
    },
  }
}

function zoneFrom({ id, name, sets = [], ...more }: Route53Options['zones'][number]): Route53State['zones'][number] {
  const apex = canonicalName(name)
  const soa = {
    name: apex,
    type: 'SOA',
    ttl: 900,
    values: ['ns-1.example. hostmaster.example. 1 7200 900 1209600 86400'],
  }
  const ns = { name: apex, type: 'NS', ttl: 172_800, values: ['ns-1.example.', 'ns-2.example.'] }
  return { id, name: apex, sets: [soa, ns, ...sets.map(named)].sort(byPlace), protected: more.protected ?? [] }
}

function named(set: RecordSet): RecordSet {
  return { ...set, name: canonicalName(set.name) }
}

function changeIds(): () => string {
  let count = 0
  return () => {
    count += 1
    return `C${count.toString(36).toUpperCase().padStart(13, '0')}`
  }
}

function readCall(
  asked: Asked,
  { credentials, now }: { readonly credentials: readonly Credentials[]; readonly now: Date },
): Call | Reply {
  const request = parseRequest(asked.method, asked.target)
  if (request === undefined) return errorReply(refusal('UnknownOperationException', 'There is no such operation'))
  const problem = signatureProblem(asked, { service: 'route53', credentials, now })
  if (problem !== undefined) return errorReply(authRefusals[problem])
  // A global service has its signatures made for one region.
  if (!/Credential=[^/]+\/\d{8}\/us-east-1\//.test(String(asked.headers.authorization))) {
    return errorReply(refusal('SignatureDoesNotMatch', 'Credential should be scoped to a valid region.'))
  }
  const { action, params } = request
  if (action !== 'ChangeResourceRecordSets') return { action, params, kind: 'read' }
  const batch = parseBatch(asked.body)
  if (typeof batch === 'string') return errorReply(refusal('InvalidInput', batch))
  const changes = batch.map(({ action: verb, set }) => `${verb} ${set.name} ${set.type} ${set.values.join(' ')}`)
  return { action, params: { ...params, changes: changes.join('\n') }, kind: 'write' }
}

const authRefusals = {
  AuthFailure: refusal(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the one you provided.',
  ),
  MissingAuthenticationToken: refusal('MissingAuthenticationToken', 'Missing Authentication Token'),
  RequestExpired: refusal('SignatureDoesNotMatch', 'Signature expired: it is now earlier than it may be.'),
} as const

type Performing = { readonly call: Call; readonly body: string }

function perform(world: World, state: Route53State, { call, body }: Performing): Performed<Route53State> {
  const { action, params } = call
  if (action === 'GetChange') return { reply: getChange(world, state, params.change!) }
  const zone = zoneOf(state, params.zone!)
  if ('kind' in zone) return { reply: errorReply(zone) }
  if (action === 'ChangeResourceRecordSets') return change(world, state, { zoneId: zone.id, body })
  if (action === 'ListResourceRecordSets') {
    const listed = page(zone, params)
    return { reply: listed.kind === 'error' ? errorReply(listed) : answer('ListResourceRecordSets', listTree(listed)) }
  }
  const found: Tree = [
    ['Id', `/hostedzone/${zone.id}`],
    ['Name', zone.name],
    ['CallerReference', 'lab'],
    ['Config', [['PrivateZone', 'false']]],
    ['ResourceRecordSetCount', String(zone.sets.length)],
  ]
  return { reply: answer('GetHostedZone', [['HostedZone', found]]) }
}

function change(
  world: World,
  state: Route53State,
  { zoneId, body }: { readonly zoneId: string; readonly body: string },
): Performed<Route53State> {
  const now = world.now()
  const busy = state.changes.some(({ zone, at }) => zone === zoneId && now - at < world.pace.exclusiveMs)
  if (busy) {
    const message = 'The request was rejected because Route 53 was still processing a prior request.'
    return { reply: errorReply(refusal('PriorRequestNotComplete', message)) }
  }
  const batch = parseBatch(body)
  const before = state.zones.find(({ id }) => id === zoneId)!
  const zone = typeof batch === 'string' ? refusal('InvalidInput', batch) : changed(before, batch)
  if ('kind' in zone) return { reply: errorReply(zone) }
  const id = world.newId()
  return {
    reply: answer('ChangeResourceRecordSets', [['ChangeInfo', infoTree(id, 'PENDING')]]),
    state: {
      zones: state.zones.map((each) => (each.id === zoneId ? zone : each)),
      changes: [...state.changes.slice(-99), { id, zone: zoneId, at: now }],
    },
  }
}

function getChange(world: World, state: Route53State, id: string): Reply {
  const made = state.changes.find((each) => each.id === id)
  if (made === undefined) return errorReply(refusal('NoSuchChange', `A change with id ${id} does not exist`))
  const status = world.now() - made.at >= world.pace.insyncMs ? 'INSYNC' : 'PENDING'
  return answer('GetChange', [['ChangeInfo', infoTree(id, status)]])
}

function infoTree(id: string, status: string): Tree {
  return [
    ['Id', `/change/${id}`],
    ['Status', status],
    ['SubmittedAt', new Date(0).toISOString()],
  ]
}

function listTree({ sets, next, max }: Exclude<ReturnType<typeof page>, Refusal>): Tree {
  return [
    ['ResourceRecordSets', sets.map((set) => ['ResourceRecordSet', setTree(set)] as const)],
    ['IsTruncated', String(next !== undefined)],
    ['NextRecordName', next?.name],
    ['NextRecordType', next?.type],
    ['NextRecordIdentifier', next?.setIdentifier],
    ['MaxItems', String(max)],
  ]
}

function answer(action: string, tree: Tree): Reply {
  return { status: 200, headers: headers(), body: answerXml(`${action}Response`, tree), outcome: 'ok' }
}

function errorReply({ code, message }: Refusal): Reply {
  const requestId = randomUUID()
  return {
    status: statuses[code] ?? 400,
    headers: headers(requestId),
    body: errorXml(code, message, requestId),
    outcome: code,
  }
}

function headers(requestId: string = randomUUID()): Readonly<Record<string, string>> {
  return { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }
}

/** Throttling is a 400 here, other than in EC2. */
const statuses: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  ExpiredToken: 403,
  InvalidClientTokenId: 403,
  MissingAuthenticationToken: 403,
  SignatureDoesNotMatch: 403,
  NoSuchChange: 404,
  NoSuchHostedZone: 404,
  UnknownOperationException: 404,
  InternalError: 500,
  InternalFailure: 500,
  ServiceUnavailable: 503,
}
