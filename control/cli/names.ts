/**
 * `holdfast names KIND`, which completion scripts call: the names of what there is, one a line.
 *
 * Whoever presses the tab key waits for it and wants no error among what he types: it takes half a second at most, and
 * what goes wrong says nothing.
 */
import type { AgentStatus } from '../../node-agent/status.ts'
import { type Access, askAgent, callControl } from './client.ts'
import { asksControl, defaultSocket } from './status-source.ts'

export type NameKind = 'services' | 'nodes' | 'operations'

type Options = Access & { readonly socket?: string }

const withinMs = 500

export async function runNamesCommand(kind: NameKind, options: Options): Promise<void> {
  const names = await namesOf(kind, options).catch((): string[] => [])
  // Shells expand what they are given: nothing but a name may reach them, whoever answers at that address.
  const harmless = names.filter((name) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
  process.stdout.write(harmless.map((name) => `${name}\n`).join(''))
}

async function namesOf(kind: NameKind, options: Options): Promise<string[]> {
  if (kind === 'services' && !asksControl(options)) {
    const status = (await askAgent(options.socket || defaultSocket, '/v1/status', { withinMs })) as AgentStatus
    return Object.keys(status.services)
  }
  const { path, key } = lists[kind]
  const body = (await callControl(options, 'GET', path, { has: [kind], withinMs })) as Record<
    string,
    Record<string, string>[]
  >
  return body[kind]!.map((each) => each[key]!)
}

const lists = {
  services: { path: '/v1/services?limit=1000', key: 'service' },
  nodes: { path: '/v1/nodes', key: 'node' },
  operations: { path: '/v1/operations?limit=50', key: 'id' },
} as const satisfies Record<NameKind, { path: string; key: string }>
