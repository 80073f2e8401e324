/** The nodes of a cluster: what each last said, whether its link is open, and what it is still to be told. */
import type { Command, Report } from '../contract.ts'
import { admit, formerOf, type Member } from '../decision.ts'
import { messageOf } from '../message-of.ts'
import { type NodeRecord, StorageError } from '../store/store.ts'
import { createOutbox } from './outbox.ts'
import type { ClusterPorts } from './ports.ts'

/** `heardAt`: on control's clock; null before its first report since control started. */
export type KnownNode = { readonly record: NodeRecord; readonly heardAt: number | null }

export type Nodes = {
  get(node: string): KnownNode | undefined
  all(): KnownNode[]
  isLinked(node: string): boolean
  /** When its link last carried anything; null without one. */
  aliveAt(node: string): number | null
  link(node: string, open: boolean): void
  /** Takes a report in, and stores what matters after a restart. */
  hear(report: Report): 'new' | 'repeat' | 'former'
  /** Over the node's link, or with the answer to its next post. */
  tell(node: string, command: Command): void
  takeCommands(node: string): Command[]
  /** What is known of each node that has reported the service and may take part in it. */
  membersOf(service: string, named: readonly string[] | null): Member[]
}

type Ports = Pick<ClusterPorts, 'store' | 'clock' | 'log' | 'send' | 'openLinks' | 'aliveAt'>

export function createNodes(stored: readonly NodeRecord[], ports: Ports): Nodes {
  const links = new Set(ports.openLinks())
  const heardAt = (node: string): number | null => (links.has(node) ? ports.aliveAt(node) : null)
  const known = new Map<string, KnownNode>(
    stored.map((record) => [record.node, { record, heardAt: heardAt(record.node) }]),
  )
  const outbox = createOutbox()
  /** Nodes whose last record could not be stored; their next report tries again. */
  const unsaved = new Set<string>()
  const save = (record: NodeRecord): void => {
    unsaved.add(record.node)
    ports.store.write({ node: record }).then(
      () => {
        if (!worthStoring(record, known.get(record.node)!.record)) unsaved.delete(record.node)
      },
      (error: unknown) => {
        if (error instanceof StorageError) return
        const message = messageOf(error)
        ports.log('error', { event: 'store-failed', node: record.node, message })
      },
    )
  }
  return {
    get: (node) => known.get(node),
    all: () => [...known.values()],
    isLinked: (node) => links.has(node),
    aliveAt: (node) => (links.has(node) ? ports.aliveAt(node) : null),
    link: (node, open) => {
      if (open) links.add(node)
      else links.delete(node)
      outbox.clear(node)
    },
    hear: (said) => {
      const before = known.get(said.node)?.record
      const news = admit(before, said)
      if (news === 'new') {
        const record = recordOf(said, before, ports.clock.wall())
        known.set(said.node, { record, heardAt: ports.clock.now() })
        if (before === undefined || unsaved.has(said.node) || worthStoring(before, record)) save(record)
      }
      return news
    },
    tell: (node, command) => {
      if (!ports.send(node, [command])) outbox.put(node, command)
    },
    takeCommands: (node) => outbox.take(node),
    membersOf: (service, named) =>
      [...known.values()].flatMap((node) => {
        const may = named === null || named.includes(node.record.node)
        const member = may ? memberOf(service, node, links.has(node.record.node)) : undefined
        return member === undefined ? [] : [member]
      }),
  }
}

function recordOf(said: Report, known: NodeRecord | undefined, wall: Date): NodeRecord {
  const { node, site, incarnation, sequence, services } = said
  const former = formerOf(known, incarnation)
  return { node, site, incarnation, former, sequence, lastReport: wall.toISOString(), services }
}

function memberOf(service: string, { record, heardAt }: KnownNode, linked: boolean): Member | undefined {
  const said = record.services[service]
  if (said === undefined) return undefined
  const { node, site, incarnation, former, sequence } = record
  const { state, priority, basePriority = priority, healthy, since } = said
  const { fault = null, solo = false, yielding = false, epochSeen = null } = said
  const link = linked ? 'open' : 'closed'
  const heard = { link, heardAt, wellAt: state === 'active' ? heardAt : null, told: {}, deafAt: null } as const
  const words = { state, priority, basePriority, healthy, fault, solo, yielding, epochSeen, since }
  return { node, site, incarnation, former, sequence, ...words, ...heard }
}

/** A heartbeat that says nothing new is not worth a write. */
function worthStoring(before: NodeRecord, after: NodeRecord): boolean {
  const gist = ({ incarnation, site, services }: NodeRecord): string =>
    JSON.stringify([incarnation, site, Object.entries(services).map(([name, { since: _, ...said }]) => [name, said])])
  return gist(before) !== gist(after)
}
