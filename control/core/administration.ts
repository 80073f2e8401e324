/** What operators and administrators do to a cluster as a whole: empty nodes, declare and forget services. */

import type { Operation } from '../decision.ts'
import type { DeclarationRecord } from '../store/store.ts'
import {
  addUnit,
  type DrainAnswer,
  drawId,
  type NodeRequest,
  publish,
  type RequestAnswer,
  rearm,
  refusalOf,
  type ServiceRequest,
  type Work,
} from './cluster.ts'
import type { Declared } from './ports.ts'

export async function drain(work: Work, { node, by, reason }: NodeRequest): Promise<DrainAnswer | undefined> {
  const { ports, drains, units } = work
  if (work.nodes.get(node) === undefined) return undefined
  const at = ports.clock.wall().toISOString()
  const known = drains.get(node)
  // It is being emptied already: asked again, nothing begins anew.
  if (known !== undefined) return { drain: known, operations: drainsFrom(work, node) }
  const text = `${by} empties ${node}${reason === null ? '' : `: ${reason}`}`
  const event = { at, kind: 'drained', service: null, node, epoch: null, text, detail: { by, reason } }
  const record = { node, by, reason, since: at }
  const events = await ports.store.write({ drain: { node, drain: { by, reason, since: at } }, events: [event] })
  drains.set(node, record)
  publish(work, { events, operations: [] })
  await Promise.all(
    [...units.values()].map((unit) =>
      unit.handle({ kind: 'drain', id: `op-${drawId(ports.random)}`, node, by, reason }),
    ),
  )
  return { drain: record, operations: drainsFrom(work, node) }
}

/** The moves under way that empty the node. */
function drainsFrom({ units }: Work, node: string): Operation[] {
  return [...units.values()].flatMap((unit) => {
    const operation = unit.decision().move?.operation
    return operation?.kind === 'drain' && operation.status === 'running' && operation.from === node ? [operation] : []
  })
}

export async function undrain(work: Work, { node, by, reason }: NodeRequest): Promise<boolean> {
  const { ports, drains, units } = work
  if (!drains.has(node)) return false
  const at = ports.clock.wall().toISOString()
  const text = `${by} lets ${node} take part again${reason === null ? '' : `: ${reason}`}`
  const event = { at, kind: 'undrained', service: null, node, epoch: null, text, detail: { by, reason } }
  const events = await ports.store.write({ drain: { node, drain: null }, events: [event] })
  drains.delete(node)
  publish(work, { events, operations: [] })
  await Promise.all([...units.values()].map((unit) => unit.handle({ kind: 'undrain', id: '', node, by, reason })))
  return true
}

/** An operator has looked: what control stood still for may go on. Undefined: no such service. */
export async function acknowledge(
  { units }: Work,
  { service, by, reason }: ServiceRequest,
): Promise<RequestAnswer | undefined> {
  const unit = units.get(service)
  if (unit === undefined) return undefined
  const left = await unit.acknowledgeDrift({ by, reason })
  const answer = refusalOf(await unit.handle({ kind: 'acknowledge', by, reason }))
  return left.length > 0 && answer?.refusal.code === 'nothing-to-acknowledge' ? null : answer
}

type Declaration = { service: string; declared: Declared; record: DeclarationRecord | null }

export async function declare(work: Work, { service, declared, record }: Declaration): Promise<void> {
  const { ports, units, declarations } = work
  const by = record?.by ?? 'the configuration file'
  const text = `${by} declared it${record === null ? '' : ` (version ${record.version})`}`
  const detail = { by, version: record?.version ?? null }
  const event = {
    at: ports.clock.wall().toISOString(),
    kind: 'declared',
    service,
    node: null,
    epoch: null,
    text,
    detail,
  }
  const change = { events: [event], ...(record === null ? {} : { declaration: { service, record } }) }
  const unit = units.get(service)
  if (unit !== undefined) await unit.redeclare(declared, change)
  else {
    const events = await ports.store.write(change)
    const added = addUnit(work, { service, declared, stored: ports.store.recall(service), awake: true })
    publish(work, { events, operations: [] })
    added.start()
    await added.handle({ kind: 'tick' })
  }
  if (record !== null) declarations.set(service, record)
  rearm(work)
}

export async function forget(work: Work, { service, by, reason }: ServiceRequest): Promise<boolean> {
  const { ports, units, declarations, deadlines } = work
  const unit = units.get(service)
  if (unit === undefined && !declarations.has(service)) return false
  const text = `${by} forgot it${reason === null ? '' : `: ${reason}`}; what it points at outside stays as it is`
  const at = ports.clock.wall().toISOString()
  const event = {
    at,
    kind: 'forgotten',
    service,
    node: null,
    epoch: unit?.decision().epoch ?? null,
    text,
    detail: { by, reason },
  }
  const change = { declaration: { service, record: null }, events: [event] }
  // One that did not fit any more when control started has nothing at work.
  const events = unit === undefined ? await ports.store.write(change) : await unit.forget(change)
  units.delete(service)
  declarations.delete(service)
  if (unit !== undefined) deadlines.set(unit, null)
  publish(work, { events, operations: [] })
  return true
}
