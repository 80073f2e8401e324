/**
 * What is wrong with a service, and what to do about it: for the person who is called at 3 a.m.
 *
 * Everything is read from what control shows of the service, and nothing is asked anew. `urgent`: its users suffer, or
 * will with the next failure of its owner. `warning`: it is served, with less to fall back on or while control tries
 * again. `note`: somebody wants it so, or it is on its way.
 */
import type { BindingView, MemberView, ServiceView } from '../core/view.ts'
import { ago } from './table.ts'

export type Severity = 'urgent' | 'warning' | 'note'

export type Trouble = {
  readonly severity: Severity
  /** What is wrong, and where. */
  readonly what: string
  /** The next step. */
  readonly remedy: string
}

export const severities: readonly Severity[] = ['urgent', 'warning', 'note']

/** The worst first. `nowMs` is wall-clock time. */
export function troublesOf(service: ServiceView, nowMs: number): readonly Trouble[] {
  const found = [
    ...higherEpoch(service),
    ...ownership(service, nowMs),
    ...rivals(service),
    ...reachability(service),
    ...service.bindings.flatMap((binding) => bindingTrouble(binding, service)),
    ...service.bindings.flatMap(preflight),
    ...service.members.flatMap((member) => memberTrouble(member, service, nowMs)),
    ...origins(service),
    ...suppression(service),
    ...holding(service),
    ...moving(service),
  ]
  return found.toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity))
}

export function needsSomebody(troubles: readonly Trouble[]): boolean {
  return troubles.some(({ severity }) => severity !== 'note')
}

function higherEpoch({ service, higherEpoch, owner }: ServiceView): Trouble[] {
  if (higherEpoch === null) return []
  const what = `epoch ${higherEpoch} was found, and this control has minted ${owner?.epoch ?? 0}: nothing moves`
  const remedy = `stop the other control; if there is none (a restored database): holdfast acknowledge ${service}`
  return [{ severity: 'urgent', what, remedy }]
}

/** Nobody owns, or the owner does not do what an owner does and nothing will replace it. */
function ownership({ service, owner, members, hold }: ServiceView, nowMs: number): Trouble[] {
  if (owner !== null) {
    const member = members.find(({ node }) => node === owner.node)
    if (hold === null || member === undefined || (member.state === 'active' && isThere(member, nowMs))) return []
    const state = isThere(member, nowMs) ? member.state : 'gone'
    const what = `its owner ${owner.node} is ${state}, and the hold keeps it there`
    return [{ severity: 'urgent', what, remedy: `holdfast release ${service}` }]
  }
  if (members.length === 0) {
    const what = 'nobody owns it: no node has reported it'
    const remedy = `give an agent the service ${service} and this control, start it, and see holdfast status on its node`
    return [{ severity: 'urgent', what, remedy }]
  }
  if (hold !== null) {
    const what = 'nobody owns it, and the hold keeps it so'
    return [{ severity: 'urgent', what, remedy: `holdfast release ${service}` }]
  }
  const what = `nobody owns it: ${members.map((member) => condition(member, nowMs)).join(', ')}`
  return [
    { severity: 'urgent', what, remedy: 'the first of them to become active owns it; on its node: holdfast status' },
  ]
}

function condition(member: MemberView, nowMs: number): string {
  const { node, state, drained } = member
  if (!isThere(member, nowMs)) return `${node} is gone`
  return `${node} is ${drained ? 'drained' : state}`
}

function rivals({ owner, members, dualActive }: ServiceView): Trouble[] {
  if (!dualActive || owner === null) return []
  const active = members.filter(
    ({ node, site, solo, state }) => node !== owner.node && site === owner.site && !solo && state === 'active',
  )
  const names = active.map(({ node }) => node).join(', ') || 'another node'
  return [
    {
      severity: 'urgent',
      what: `${names} is active beside the owner ${owner.node}: the LAN between them is split, or healing`,
      remedy: `check cables, switch ports and VLAN between ${owner.node} and ${names}; the outside stays at ${owner.node}`,
    },
  ]
}

function reachability({ service, owner, reachable }: ServiceView): Trouble[] {
  if (reachable !== false) return []
  const at = owner === null ? 'the service' : `what serves on ${owner.node}`
  const remedy = `look at ${at}, then at DNS, routes and firewalls before it; holdfast events --service ${service}`
  return [{ severity: 'urgent', what: 'it does not answer at its own address', remedy }]
}

function bindingTrouble(binding: BindingView, { service, higherEpoch }: ServiceView): Trouble[] {
  const { name, adapter, drift, state, node, observed, attempts, lastError } = binding
  if (state === 'failed') {
    // What stops it has been said of the service as a whole.
    if (higherEpoch !== null && lastError?.startsWith('carries the epoch ')) return []
    const what = `binding ${name} (${adapter}) cannot follow: ${lastError ?? 'control does not say why'}`
    return [{ severity: 'urgent', what, remedy: `${remedyFor(lastError)}; control then goes on within a minute` }]
  }
  if (state === 'drifted') {
    const what = `binding ${name} (${adapter}) was changed by somebody else, and points at ${observed ?? 'nothing'}`
    if (drift === 'reassert') {
      const remedy = `control puts it back to ${node ?? 'its owner'}; find out who else writes it`
      return [{ severity: 'warning', what, remedy }]
    }
    const until = drift === 'alert' ? 'it is left there until the next move' : 'it is frozen, and follows no move'
    const remedy = `${until}; find out who wrote it, then: holdfast acknowledge ${service}`
    return [{ severity: 'urgent', what, remedy }]
  }
  if (state === 'retrying') {
    const tried = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
    const what = `binding ${name} (${adapter}) does not follow yet, ${tried}: ${lastError ?? 'waiting before the next'}`
    return [
      { severity: 'warning', what, remedy: `control tries again by itself; if it lasts: ${remedyFor(lastError)}` },
    ]
  }
  if (lastError === null || state === 'settled') return []
  const what = `binding ${name} (${adapter}) is being read back after a call of unknown outcome: ${lastError}`
  return [{ severity: 'note', what, remedy: 'nothing yet: control looks before it writes again' }]
}

/** What the next move would fail at. */
function preflight({ name, adapter, state, preflight }: BindingView): Trouble[] {
  const [first, ...others] = preflight?.failed ?? []
  // One that fails already says so itself.
  if (first === undefined || state === 'failed') return []
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  const what = `binding ${name} (${adapter}) could not follow a move: ${first.check}: ${first.message}${more}`
  const remedy = `${remedyFor(first.message)}; all that was tried: holdfast adapters preflight`
  return [{ severity: 'warning', what, remedy }]
}

/** Providers name their errors differently, and mean one of a few things. */
const remedies: readonly { readonly fits: RegExp; readonly remedy: string }[] = [
  {
    fits: /timed? ?out|econn|enotfound|eai_again|unreachable|socket hang up/i,
    remedy: 'check control’s way to the provider',
  },
  { fits: /has no target for/, remedy: 'add the target to the service: holdfast apply, or control’s configuration' },
  {
    fits: /unauthori[sz]ed|denied|forbidden|permi(t|ssion)|credential|signature|authfailure|expiredtoken|invalidclienttoken/i,
    remedy: 'give control’s credentials the right to do this',
  },
  {
    fits: /notfound|not found|no such|does not exist|invalid\w*id/i,
    remedy: 'check the ids in the binding’s config and targets',
  },
  { fits: /throttl|limit|too ?many|slow ?down/i, remedy: 'find out who else uses up the provider’s limit' },
]

function remedyFor(lastError: string | null): string {
  const known = remedies.find(({ fits }) => lastError !== null && fits.test(lastError))
  return known?.remedy ?? 'ask the provider’s console or status page what this means'
}

/** As long as a node's last word counts, in milliseconds: who posts has no link, and is there all the same. */
const wordCountsMs = 5_000

function isThere({ connected, lastReport }: MemberView, nowMs: number): boolean {
  return connected || (lastReport !== null && nowMs - Date.parse(lastReport) <= wordCountsMs)
}

/** A node that says nothing is noticed here before its lease is over. */
const quietAfterMs = 3_000

function memberTrouble(member: MemberView, service: ServiceView, nowMs: number): Trouble[] {
  const { owner, members } = service
  const { node, healthy, fault, state, connected, lastReport } = member
  const owns = owner?.node === node
  const severity = owns || members.length === 1 ? 'urgent' : 'warning'
  const who = owns ? `the owner ${node}` : node
  const heard = lastReport === null ? 'it was never heard' : `it was last heard ${ago(lastReport, nowMs)} ago`
  if (!isThere(member, nowMs)) {
    const remedy = `on ${node}: holdfast status, and the agent’s log; is the machine up, and does it reach control?`
    return [{ severity, what: `${who} is not connected, ${heard}`, remedy }, ...draining(member, service)]
  }
  const quiet = connected && lastReport !== null && nowMs - Date.parse(lastReport) > quietAfterMs
  const silence: Trouble = {
    severity: 'warning',
    what: `${who} is silent: ${heard}`,
    remedy: `on ${node}: is the agent stopped or starved, or its network cut? its lease ends after 5 s`,
  }
  const ill: Trouble = {
    severity,
    what: `${who} is ${healthy ? state : 'not healthy'}: ${fault ?? 'its agent gives no reason'}`,
    remedy: `put right on ${node} what that names; it takes part again by itself`,
  }
  const isIll = !healthy || state === 'fault'
  return [...(quiet ? [silence] : []), ...(isIll ? [ill] : []), ...draining(member, service)]
}

function draining({ node, drained }: MemberView, { owner, operation }: ServiceView): Trouble[] {
  if (!drained) return []
  const back = `holdfast undrain ${node}`
  if (owner?.node !== node) {
    return [{ severity: 'note', what: `${node} is drained`, remedy: `when its maintenance is over: ${back}` }]
  }
  // The move away from it has a line of its own.
  if (operation !== null) return []
  const what = `${node} is being emptied and owns it still: nobody can take over`
  return [{ severity: 'warning', what, remedy: `bring another node to backup, or ${back}` }]
}

function origins({ origins, owner }: ServiceView): Trouble[] {
  const ill = Object.entries(origins).filter(([, health]) => health === 'unhealthy')
  return ill.map(([site]) => ({
    severity: owner?.site === site ? 'urgent' : 'warning',
    what: `the origin of site ${site} does not answer to control’s probe`,
    remedy: `look at what serves in ${site}, and at control’s way to it`,
  }))
}

function suppression({ service, suppressedUntil, owner, hold }: ServiceView): Trouble[] {
  if (suppressedUntil === null || hold !== null) return []
  const what = `it has moved too often, and stays at ${owner?.node ?? 'nobody'} until ${clockOf(suppressedUntil)}`
  const remedy = `see what flaps: holdfast events --service ${service}; to move it before: holdfast switchover ${service}`
  return [{ severity: 'warning', what, remedy }]
}

function holding({ service, hold }: ServiceView): Trouble[] {
  if (hold === null) return []
  const because = hold.reason === null ? '' : ` (${hold.reason})`
  const what = `held by ${hold.by} since ${dayOf(hold.since)}${because}: whatever fails, it does not move`
  return [{ severity: 'note', what, remedy: `when that is over: holdfast release ${service}` }]
}

function moving({ operation }: ServiceView): Trouble[] {
  if (operation === null) return []
  return [{ severity: 'note', what: `a move is under way: ${operation}`, remedy: `holdfast operation ${operation}` }]
}

/** All times are UTC, as in the audit trail. */
const clockOf = (iso: string): string => `${iso.slice(11, 19)}Z`
const dayOf = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)}Z`
