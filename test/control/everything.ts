/** A control to which nearly everything has happened, for what must know every word that control can say. */
import { expect } from 'vitest'
import { serviceDefaults } from '../../control/config/service-config.ts'
import type { ServiceView } from '../../control/core/view.ts'
import { type Exposition, parseExposition } from '../support/exposition.ts'
import { createWorld, webService } from './world.ts'

export type World = Awaited<ReturnType<typeof createWorld>>

/** `web` has failed over from n1 to n2, has drifted, was throttled, and is held; nobody has `idle`; n3 is drained. */
export async function everything(): Promise<World> {
  const world = await createWorld({ services: { web: webService, idle: serviceDefaults } })
  const { cluster, resource, said, pass } = world
  for (const node of ['n1', 'n2', 'n3']) world.connect(node)
  await cluster.report(said('n1', 'active'), 'link')
  await cluster.report(said('n2', 'backup'), 'link')
  await cluster.report({ ...said('n3', 'backup'), services: {} }, 'link')
  await pass(1_000)
  const failed = { code: 'Slow', message: 'slow' }
  resource.outcome = { kind: 'throttled', ...failed, afterMs: 100 }
  await cluster.report(said('n1', 'backup'), 'link')
  await cluster.report(said('n2', 'active'), 'link')
  resource.outcome = { kind: 'retry', ...failed }
  for (
    let i = 0;
    i < 20 && !world.measured.some(({ kind, ...m }) => kind === 'called' && 'outcome' in m && m.outcome === 'retry');
    i++
  )
    await pass(100)
  resource.outcome = null
  await pass(10_000)
  resource.node = 'n1'
  resource.version += 1
  world.links.heard('n2')
  await pass(70_000)
  for (const node of ['n1', 'n2', 'n3']) world.links.heard(node)
  await cluster.hold({ service: 'web', by: 'ops', reason: null })
  await cluster.drain({ node: 'n3', by: 'ops', reason: null })
  world.metrics.late(3)
  return world
}

/** What Prometheus would be told, with one more service that has what needs probes and a second control. */
export async function scrape({ cluster, metrics }: Pick<World, 'cluster' | 'metrics'>): Promise<Exposition> {
  const [view] = cluster.services()
  expect(view).toBeDefined()
  const other: ServiceView = {
    ...view!,
    service: 'other',
    reachable: true,
    origins: { dc1: 'healthy' },
    higherEpoch: 9,
  }
  const services = () => [...cluster.services(), other]
  return parseExposition(await metrics.render({ services, nodes: cluster.nodes }))
}
