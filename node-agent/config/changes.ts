/**
 * What is different between two configurations of an agent, by the names that the file has for it: pure.
 *
 * Only names, never values: they go to logs and to whoever asked, and some values are secrets.
 */
import { isDeepStrictEqual } from 'node:util'
import type { AgentConfig, ServiceRules } from '../config.ts'
import type { VirtualRouter } from '../vrrp/router.ts'

export type Change =
  | { readonly kind: 'added' | 'removed'; readonly name: string }
  /** `keys`: of the configuration file. */
  | { readonly kind: 'changed'; readonly name: string; readonly keys: readonly string[] }

export type Changes = {
  readonly services: readonly Change[]
  readonly checks: readonly Change[]
  readonly control: boolean
  readonly peers: boolean
}

/** Keys that a running agent keeps: others know it by them, or it is bound to them. */
const fixed = ['node', 'site', 'socket', 'realtime'] as const

/** Those of them that are different. */
export function fixedChanges(before: AgentConfig, after: AgentConfig): readonly string[] {
  return fixed.filter((key) => before[key] !== after[key])
}

export function changesBetween(before: AgentConfig, after: AgentConfig): Changes {
  return {
    services: compare(servicesOf(before), servicesOf(after)),
    checks: compare(checksOf(before), checksOf(after)),
    control: !isDeepStrictEqual(before.control, after.control),
    peers: !isDeepStrictEqual(before.peers, after.peers),
  }
}

/** Whether the VRRP process has to hear of it. */
export function routersChanged(before: AgentConfig, after: AgentConfig): boolean {
  return !isDeepStrictEqual(before.routers, after.routers)
}

type Fields = Readonly<Record<string, unknown>>

function compare(before: ReadonlyMap<string, Fields>, after: ReadonlyMap<string, Fields>): Change[] {
  const removed = [...before.keys()].filter((name) => !after.has(name))
  const others = [...after].flatMap(([name, fields]): Change[] => {
    const former = before.get(name)
    if (former === undefined) return [{ kind: 'added', name }]
    const all = [...new Set([...Object.keys(former), ...Object.keys(fields)])]
    const keys = all.filter((key) => !isDeepStrictEqual(former[key], fields[key]))
    return keys.length === 0 ? [] : [{ kind: 'changed', name, keys }]
  })
  return [...removed.map((name): Change => ({ kind: 'removed', name })), ...others]
}

/** By key of the file, as far as it has one for each. */
function checksOf({ checks }: AgentConfig): ReadonlyMap<string, Fields> {
  return new Map(
    Object.entries(checks).map(([name, { probe, intervalMs, timeoutMs, rise, fall }]) => [
      name,
      { [probe.kind]: probe, interval: intervalMs, timeout: timeoutMs, rise, fall },
    ]),
  )
}

/** By key of the file: everything that it makes of a service. */
function servicesOf({ services, routers }: AgentConfig): ReadonlyMap<string, Fields> {
  return new Map(
    services.map((rules) => {
      const router = routers.find(({ name }) => name === rules.name)
      return [rules.name, { ...fieldsOf(rules), ...(router === undefined ? {} : routerFields(router)) }]
    }),
  )
}

function fieldsOf({ solo, priority, checks, onLost, split, accept }: ServiceRules): Fields {
  return { mode: solo, priority, checks, onLost, split, accept }
}

function routerFields({ name: _, family: __, priority: ___, ...router }: VirtualRouter): Fields {
  const { addresses, riders, advertisementInterval, downMultiplier, preemptMode, preemptDelay, ...rest } = router
  const { transport, password, ...others } = rest
  return {
    ...others,
    addresses: [addresses, riders],
    interval: advertisementInterval,
    down: downMultiplier,
    preempt: [preemptMode, preemptDelay],
    unicast: transport,
    authentication: password,
  }
}
