/**
 * What Route 53 does with a batch of changes and with a list's beginning, by AWS's rules: functions of the state.
 *
 * Stricter than the usual imitations where AWS is: a DELETE must describe the set as it is, a CREATE must find none, a
 * CNAME stands alone, and one change that may not be made undoes all of its batch.
 */
import { isIPv4, isIPv6 } from 'node:net'

export type RecordSet = {
  /** In small letters, with a dot at the end, a wildcard as `\052`. */
  readonly name: string
  readonly type: string
  readonly ttl?: number
  readonly values: readonly string[]
  readonly alias?: { readonly hostedZoneId: string; readonly dnsName: string; readonly evaluateTargetHealth: boolean }
  readonly setIdentifier?: string
  readonly weight?: string
}

export type Change = { readonly action: 'CREATE' | 'DELETE' | 'UPSERT'; readonly set: RecordSet }

export type Zone = {
  readonly id: string
  readonly name: string
  /** In the order of a list. */
  readonly sets: readonly RecordSet[]
  /** `vip.example.com. A`: what may not be changed. */
  readonly protected: readonly string[]
}

export type Route53State = {
  readonly zones: readonly Zone[]
  /** When each was made, in milliseconds of the lab's clock. */
  readonly changes: readonly { readonly id: string; readonly zone: string; readonly at: number }[]
}

export type Refusal = { readonly kind: 'error'; readonly code: string; readonly message: string }

const types = ['A', 'AAAA', 'CAA', 'CNAME', 'DS', 'HTTPS', 'MX', 'NAPTR', 'NS', 'PTR', 'SOA', 'SPF', 'SRV', 'TXT']
const mostRecords = 1_000
const mostCharacters = 32_000

export function refusal(code: string, message: string): Refusal {
  return { kind: 'error', code, message }
}

export function zoneOf(state: Route53State, id: string): Zone | Refusal {
  const zone = state.zones.find((each) => each.id === id)
  return zone ?? refusal('NoSuchHostedZone', `No hosted zone found with ID: ${id}`)
}

/** The zone after a batch; refused as a whole, with everything that is wrong with it, when anything is. */
export function changed(zone: Zone, batch: readonly Change[]): Zone | Refusal {
  const changes = batch.map(({ action, set }) => ({ action, set: { ...set, name: canonicalName(set.name) } }))
  const tooLarge = sizeProblem(changes)
  if (tooLarge !== undefined) return refusal('InvalidChangeBatch', tooLarge)
  const unknown = changes.find(({ set }) => !types.includes(set.type))
  if (unknown !== undefined) return refusal('InvalidInput', `Value '${unknown.set.type}' is not a record type`)
  let sets = zone.sets
  const problems: string[] = []
  for (const change of changes) {
    const problem = problemOf({ ...zone, sets }, change)
    if (problem !== undefined) problems.push(problem)
    else sets = apply(sets, change)
  }
  if (problems.length > 0) return refusal('InvalidChangeBatch', `[${problems.join(', ')}]`)
  return { ...zone, sets: [...sets].sort(byPlace) }
}

function sizeProblem(changes: readonly Change[]): string | undefined {
  const weigh = (sizeOf: (set: RecordSet) => number): number =>
    changes.reduce((sum, { action, set }) => sum + sizeOf(set) * (action === 'UPSERT' ? 2 : 1), 0)
  if (weigh(({ values }) => values.length) > mostRecords) return `Number of records limit of ${mostRecords} exceeded.`
  const characters = weigh(({ values }) => values.join('').length)
  return characters > mostCharacters ? `Number of characters limit of ${mostCharacters} exceeded.` : undefined
}

function problemOf(zone: Zone, { action, set }: Change): string | undefined {
  const { name, type } = set
  const which = `[name='${name}', type='${type}'${set.setIdentifier ? `, set-identifier='${set.setIdentifier}'` : ''}]`
  if (zone.protected.includes(`${name} ${type}`)) {
    return `Tried to change resource record set ${which} but it has a resource record set protection`
  }
  if (!`.${name}`.endsWith(`.${zone.name}`)) return `RRSet with DNS name ${name} is not permitted in zone ${zone.name}`
  const found = zone.sets.find((each) => sameKey(each, set))
  if (action === 'DELETE') {
    if (found === undefined) return `Tried to delete resource record set ${which} but it was not found`
    if (!sameContent(found, set)) {
      return `Tried to delete resource record set ${which} but the values provided do not match the current values`
    }
    const vital = name === zone.name && (type === 'SOA' || type === 'NS')
    return vital ? `A HostedZone must contain at least one ${type} record` : undefined
  }
  if (action === 'CREATE' && found !== undefined) {
    return `Tried to create resource record set ${which} but it already exists`
  }
  return contentProblem(set) ?? neighbourProblem(zone, set)
}

function contentProblem({ type, values, alias }: RecordSet): string | undefined {
  if (alias !== undefined) return undefined
  if (values.length === 0) return 'Invalid request: no ResourceRecords'
  if (new Set(values).size !== values.length) return `Duplicate Resource Record: '${values.join(', ')}'`
  if (type === 'CNAME' && values.length > 1) return 'RRSet of type CNAME may hold one record only'
  const wrong = values.find((value) => !fits(type, value))
  if (wrong === undefined) return undefined
  return `Invalid Resource Record: 'FATAL problem: ${type}RRDATAIllegal (Value is no value of ${type}) encountered with '${wrong}''`
}

function fits(type: string, value: string): boolean {
  if (type === 'A') return isIPv4(value)
  if (type === 'AAAA') return isIPv6(value)
  if (type === 'CNAME') return /^[A-Za-z0-9_.-]+$/.test(value) && !value.includes('..')
  if (type === 'TXT') return /^"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*$/.test(value)
  return value !== ''
}

/** What else there is of the name. */
function neighbourProblem(zone: Zone, set: RecordSet): string | undefined {
  const { name, type } = set
  const others = zone.sets.filter((each) => each.name === name && !sameKey(each, set))
  if (type === 'CNAME' && name === zone.name) {
    return `RRSet of type CNAME with DNS name ${name} is not permitted at apex in zone ${zone.name}`
  }
  const clash =
    type === 'CNAME' ? others.some((each) => each.type !== type) : others.some((each) => each.type === 'CNAME')
  if (clash) {
    return `RRSet of type ${type} with DNS name ${name} is not permitted as it conflicts with other records with the same DNS \
name in zone ${zone.name}`
  }
  const mixed = others.some((each) => each.type === type && !each.setIdentifier !== !set.setIdentifier)
  return mixed
    ? `RRSet with DNS name ${name}, type ${type} cannot be created as other RRSets exist with the same name`
    : undefined
}

function apply(sets: readonly RecordSet[], { action, set }: Change): readonly RecordSet[] {
  const others = sets.filter((each) => !sameKey(each, set))
  return action === 'DELETE' ? others : [...others, set]
}

function sameKey(one: RecordSet, other: RecordSet): boolean {
  return keyOf(one) === keyOf(other)
}

function keyOf({ name, type, setIdentifier = '' }: RecordSet): string {
  return `${name} ${type} ${setIdentifier}`
}

function sameContent(one: RecordSet, other: RecordSet): boolean {
  const content = ({ ttl, values, alias, weight }: RecordSet): string =>
    JSON.stringify([ttl, [...values].sort(), alias, weight])
  return content(one) === content(other)
}

/** As Route 53 answers it. */
export function canonicalName(name: string): string {
  const small = name.toLowerCase().replace(/^\*/, '\\052')
  return small.endsWith('.') ? small : `${small}.`
}

/** `com.example.vip.`, as lists are sorted. */
function placeOf({ name, type, setIdentifier = '' }: Pick<RecordSet, 'name' | 'type' | 'setIdentifier'>): string[] {
  return [`${name.slice(0, -1).split('.').reverse().join('.')}.`, type, setIdentifier]
}

export function byPlace(one: RecordSet, other: RecordSet): number {
  return compare(placeOf(one), placeOf(other))
}

function compare(one: readonly string[], other: readonly string[]): number {
  const i = one.findIndex((part, at) => part !== other[at])
  if (i < 0) return 0
  return one[i]! < other[i]! ? -1 : 1
}

/** A page of a zone from a place on, and where the next one begins. */
export function page(
  zone: Zone,
  from: { readonly name?: string; readonly type?: string; readonly identifier?: string; readonly maxitems?: string },
):
  | {
      readonly kind: 'page'
      readonly sets: readonly RecordSet[]
      readonly next: RecordSet | undefined
      readonly max: number
    }
  | Refusal {
  const { name, type = '', identifier = '', maxitems = '300' } = from
  if (name === undefined && type !== '') return refusal('InvalidInput', 'The type parameter needs the name parameter')
  if (!/^\d+$/.test(maxitems) || Number(maxitems) < 1) return refusal('InvalidInput', `maxitems is ${maxitems}`)
  const max = Math.min(300, Number(maxitems))
  const start = name === undefined ? [] : placeOf({ name: canonicalName(name), type, setIdentifier: identifier })
  const rest = zone.sets.filter((set) => name === undefined || compare(placeOf(set), start) >= 0)
  return { kind: 'page', sets: rest.slice(0, max), next: rest[max], max }
}
