/**
 * A strict EC2 on this machine: the few actions that move addresses and routes, with AWS's rules (`ec2-rules.ts`) and
 * AWS's wire format (`ec2-wire.ts`), and every way of going wrong (`strict-cloud.ts`).
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Ec2Result } from './ec2-request.ts'
import { perform } from './ec2-rules.ts'
import {
  type Association,
  associate,
  type Ec2State,
  type NetworkInterface,
  type RouteTable,
  type Subnet,
} from './ec2-state.ts'
import { createThrottle, type Throttle } from './ec2-throttle.ts'
import { answerXml, apiVersion, errorXml, parseRequest, statusOf } from './ec2-wire.ts'
import { type Credentials, signatureProblem } from './sigv4.ts'
import {
  type Asked,
  type Call,
  type CallMade,
  type CloudOptions,
  createStrictCloud,
  type Protocol,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

export type Ec2Options = CloudOptions & {
  readonly addresses: readonly { readonly allocationId: string; readonly publicIp: string }[]
  readonly interfaces: readonly NetworkInterface[]
  readonly subnets?: readonly Subnet[]
  readonly routeTables?: readonly RouteTable[]
  /** Who may call. Default: `labCredentials`. */
  readonly credentials?: readonly Credentials[]
  /** Whether it refuses whoever calls more often than AWS allows. Default: false. */
  readonly throttle?: boolean
  readonly onChange?: (change: Ec2Change) => void
}

export const labCredentials: Credentials = { accessKeyId: 'AKIALABLABLABLABLAB0', secretAccessKey: 'lab-secret-key' }

/** One address that changed its place, or lost it. */
export type Ec2Change = {
  readonly at: string
  readonly event: 'associated' | 'disassociated'
  readonly allocationId: string
  readonly networkInterfaceId: string
  readonly privateIpAddress: string
  readonly associationId: string
}

export type Ec2Call = CallMade

export type Ec2 = Omit<StrictCloud<Ec2State>, 'setOutOfBand'> & {
  /** Somebody else moves an address, or takes it away. */
  setOutOfBand(allocationId: string, place: Omit<Association, 'associationId'> | null): void
  /** Somebody else changes anything. */
  change(by: (state: Ec2State) => Ec2State): void
}

export async function createEc2(options: Ec2Options): Promise<Ec2> {
  const { addresses, interfaces, subnets = [], routeTables = [], onChange, credentials = [labCredentials] } = options
  const newId = associationIds()
  const cloud = await createStrictCloud<Ec2State>({
    ...options,
    initial: {
      addresses: addresses.map((entry) => ({ ...entry, association: null })),
      interfaces,
      subnets,
      routeTables,
    },
    protocol: protocolOf({ credentials, newId, throttle: throttleOf(options) }),
    onCommit: (before, after, at) => {
      for (const change of changesBetween(before, after, at.toISOString())) onChange?.(change)
    },
    lab: (asked) => labRoute(asked),
  })
  const setOutOfBand: Ec2['setOutOfBand'] = (allocationId, place) => {
    if (!addresses.some((entry) => entry.allocationId === allocationId)) throw new Error(`no address ${allocationId}`)
    const association = place === null ? null : { associationId: newId(), ...place }
    cloud.setOutOfBand((state) => associate(state, { allocationId, association }))
  }
  /** PUT /_lab/addresses/{allocationId} {networkInterfaceId, privateIpAddress}, or null: moved by somebody else. */
  const labRoute = ({ method, target, body }: Asked): unknown => {
    const allocationId = /^\/_lab\/addresses\/([^/]+)$/.exec(target)?.[1]
    if (method !== 'PUT' || allocationId === undefined) return undefined
    setOutOfBand(allocationId, placeSchema.parse(JSON.parse(body)))
    return cloud.state()
  }
  return { ...cloud, setOutOfBand, change: cloud.setOutOfBand }
}

const placeSchema = z.strictObject({ networkInterfaceId: z.string(), privateIpAddress: z.string() }).nullable()

function associationIds(): () => string {
  let count = 0
  return () => {
    count += 1
    return `eipassoc-${count.toString(16).padStart(17, '0')}`
  }
}

function throttleOf({ throttle = false, timers }: Ec2Options): Throttle {
  return throttle ? createThrottle(timers?.now ?? (() => performance.now())) : { take: () => true }
}

type ProtocolInput = {
  readonly credentials: readonly Credentials[]
  readonly newId: () => string
  readonly throttle: Throttle
}

function protocolOf({ credentials, newId, throttle }: ProtocolInput): Protocol<Ec2State> {
  const refuse = (code: string, message: string): Reply => replyOf({ kind: 'error', code, message }, '')
  return {
    read: (asked, now) => {
      const call = readCall(asked, { credentials, now })
      if (!('action' in call) || throttle.take(call.action.replace(dryRun, ''), call.params)) return call
      return refuse('RequestLimitExceeded', 'Request limit exceeded.')
    },
    perform: (state, { action: named, params }) => {
      const action = named.replace(dryRun, '')
      const result = perform(state, { action, params }, newId())
      return result.kind === 'error'
        ? { reply: replyOf(result, action) }
        : { reply: replyOf(result, action), state: result.state }
    },
    refuse,
  }
}

function readCall(
  asked: Asked,
  { credentials, now }: { readonly credentials: readonly Credentials[]; readonly now: Date },
): Call | Reply {
  const refuse = (code: string, message: string): Reply => replyOf({ kind: 'error', code, message }, '')
  const request = parseRequest(asked.body)
  if (asked.method !== 'POST' || request === undefined) return refuse('MissingAction', 'No action was named')
  const problem = signatureProblem(asked, { service: 'ec2', credentials, now })
  if (problem !== undefined) return refuse(problem, authMessages[problem])
  if (request.version !== apiVersion) return refuse('NoSuchVersion', `Unknown version ${request.version}`)
  const { action, params } = request
  if (params.DryRun === 'true') return { action: `${action}${dryRun}`, params, kind: 'read' }
  return { action, params, kind: action.startsWith('Describe') ? 'read' : 'write' }
}

/** Trials are actions of their own to faults and logs, so that they never use up a fault that was meant for a write. */
export const dryRun = ' (dry run)'

const authMessages = {
  AuthFailure: 'AWS was not able to validate the provided access credentials',
  MissingAuthenticationToken: 'Request is missing Authentication Token',
  RequestExpired: 'Request has expired.',
} as const

function replyOf(result: Ec2Result, action: string): Reply {
  const requestId = randomUUID()
  const headers = { 'content-type': 'text/xml;charset=UTF-8', 'x-amzn-requestid': requestId }
  return result.kind === 'answer'
    ? { status: 200, headers, body: answerXml(action, result.answer, requestId), outcome: 'ok' }
    : {
        status: statusOf(result.code),
        headers,
        body: errorXml(result.code, result.message, requestId),
        outcome: result.code,
      }
}

function changesBetween(before: Ec2State, after: Ec2State, at: string): Ec2Change[] {
  return after.addresses.flatMap(({ allocationId, association }, i) => {
    const old = before.addresses[i]?.association ?? null
    if (association?.associationId === old?.associationId) return []
    const place = association ?? old
    if (place === null) return []
    const event = association === null ? 'disassociated' : 'associated'
    return [{ at, event, allocationId, ...place } as const]
  })
}
