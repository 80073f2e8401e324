/** `holdfast nodes`: every node that control has heard of, and how it stands. */
import type { NodeView } from '../core/view.ts'
import { type Access, askControl } from './client.ts'
import { ago, table } from './table.ts'

type Options = Access & { readonly json?: boolean }

export async function runNodesCommand(options: Options): Promise<void> {
  const { body, atMs } = await askControl(options, 'GET', '/v1/nodes', { has: ['nodes'] })
  const { nodes } = body as { nodes: NodeView[] }
  if (options.json) process.stdout.write(`${JSON.stringify(nodes)}\n`)
  else if (nodes.length === 0) process.stdout.write('no node has ever reported: give an agent control: {url, token}\n')
  else process.stdout.write(`${describeNodes(nodes, atMs)}\n`)
}

export function describeNodes(nodes: readonly NodeView[], nowMs: number): string {
  const rows = nodes
    .toSorted((a, b) => (a.node < b.node ? -1 : 1))
    .map(({ node, site, connected, fresh, lastReport, drain, services }) => [
      node,
      site,
      connected ? (fresh ? 'connected' : 'silent') : fresh ? 'posts' : 'not connected',
      `${ago(lastReport, nowMs)} ago`,
      drain === null
        ? '-'
        : `by ${drain.by} ${ago(drain.since, nowMs)} ago${drain.reason === null ? '' : `: ${drain.reason}`}`,
      Object.entries(services)
        .map(([name, { state, healthy }]) => `${name} ${state}${healthy ? '' : ' (not healthy)'}`)
        .join(', ') || '-',
    ])
  return table([['NODE', 'SITE', 'LINK', 'HEARD', 'DRAINED', 'SERVICES'], ...rows])
}
