/** What nodes say, and that they come and go: handed to the services that it concerns. */
import type { RefusedService, Report } from '../contract.ts'
import { noticeStall, publish, type ReportAnswer, type Work } from './cluster.ts'

export async function report(work: Work, said: Report, via: 'link' | 'post'): Promise<ReportAnswer> {
  noticeStall(work)
  const { nodes, units } = work
  // What was still on its way when the link closed says nothing about a node that is no longer there.
  if (via === 'link' && !nodes.isLinked(said.node)) return { commands: [], refused: [] }
  const before = nodes.get(said.node)
  if (nodes.hear(said) === 'former') {
    const detail = `${said.node} has restarted since the agent that sent this; its former self is not heard`
    return { refusal: { code: 'former-incarnation', detail } }
  }
  // A service that the node has stopped running is told so as well.
  const concerned = new Set([...Object.keys(said.services), ...Object.keys(before?.record.services ?? {})])
  const refused: RefusedService[] = []
  const handled: Promise<unknown>[] = []
  for (const service of concerned) {
    const unit = units.get(service)
    if (unit === undefined) continue
    const { nodes: named } = unit.config()
    if (named === null || named.includes(said.node)) handled.push(unit.handle(reportEvent(said, service, via)))
    else if (Object.hasOwn(said.services, service)) {
      const why = `control's configuration does not name ${said.node} for ${service}: add it under nodes: or targets:`
      refused.push({ service, why })
    }
  }
  if (before?.record.incarnation !== said.incarnation) handled.push(auditRefused(work, said.node, refused))
  await Promise.all(handled)
  return { commands: via === 'post' ? nodes.takeCommands(said.node) : [], refused }
}

/** Once for each start of an agent; the agent hears it with every answer. */
async function auditRefused(work: Work, node: string, refused: readonly RefusedService[]): Promise<void> {
  const at = work.ports.clock.wall().toISOString()
  const events = refused.map(({ service, why }) => ({
    at,
    kind: 'not-named',
    service,
    node,
    epoch: null,
    text: why,
    detail: {},
  }))
  if (events.length > 0) publish(work, { events: await work.ports.store.write({ events }), operations: [] })
}

export function link(work: Work, node: string, open: boolean): void {
  noticeStall(work)
  work.nodes.link(node, open)
  work.ports.log('info', { event: open ? 'node-connected' : 'node-disconnected', node })
  for (const service of Object.keys(work.nodes.get(node)?.record.services ?? {})) {
    work.units
      .get(service)
      ?.handle({ kind: open ? 'connected' : 'disconnected', node })
      .catch(() => undefined)
  }
}

function reportEvent(said: Report, service: string, via: 'link' | 'post') {
  const { node, site, incarnation, sequence, answers = [], results = [] } = said
  const report = said.services[service] ?? null
  return { kind: 'report', node, site, incarnation, sequence, via, report, answers, results } as const
}
