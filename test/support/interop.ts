/**
 * The interop matrix: with which neighbours, in which of their modes, our agent shares a virtual router, and how well.
 *
 * A row is a mode and a role (who is active at first, by its priority), a column what happens to the active router.
 * Every cell has a result in `test/lab/INTEROP.md`, which the lab test writes.
 */
import { startFrr } from '../../infra/lab/frr.ts'
import { startKeepalived } from '../../infra/lab/keepalived.ts'
import type { RouterProcess } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { vip, webService } from './agents.ts'

export type Role = 'we' | 'they'
export const roles: readonly Role[] = ['we', 'they']

/** What happens to the active router. */
export const events = ['cable out', 'cable in', 'stop', 'kill'] as const
export type EventName = (typeof events)[number]

export type Member = { readonly node: string; readonly priority: number; readonly self: string; readonly other: string }

export type Mode = {
  readonly peer: 'keepalived 2.2.7' | 'FRR 8.4'
  readonly name: string
  readonly version: 2 | 3
  readonly intervalMs: number
  /** The one whose holder is watched. */
  readonly address: string
  /** What our service says beyond the lab's default. */
  ours(member: Member): Readonly<Record<string, unknown>>
  theirs(lab: Lab, member: Member): Promise<RouterProcess>
  /** Of its cells. */
  readonly notes: readonly Note[]
}

/** What is special about a cell, and not ours to change: a fact that was measured. */
export type Note = {
  readonly role: Role
  readonly event: EventName
  /** Both may hold the address for so long; undefined: as long as anywhere. */
  readonly mostOverlapMs?: number
  readonly text: string
}

const ipv4 = [`${vip}/24`]
const ipv6 = ['fe80::50/64', 'fd77::50/64']
const global6 = 'fd77::50'
const pseudoHeader = { checksum: 'rfc5798' }

/** keepalived's block, one line each. */
const block = (name: string, lines: readonly string[]): string[] => [`${name} {`, ...lines, '}']

type Variant = {
  readonly name: string
  readonly version?: 2 | 3
  readonly intervalMs?: number
  readonly addresses?: readonly string[]
  readonly ours?: (member: Member) => Readonly<Record<string, unknown>>
  readonly extra?: (member: Member) => readonly string[]
  readonly notes?: readonly Note[]
}

function common({ name, version = 3, intervalMs = 100, addresses = ipv4, ours, notes = [] }: Variant) {
  return {
    name,
    version,
    intervalMs,
    address: addresses === ipv6 ? global6 : vip,
    ours: (member: Member) => ({
      priority: member.priority,
      interval: `${intervalMs}ms`,
      addresses,
      ...(version === 2 ? { version } : {}),
      ...(version === 3 && addresses === ipv4 ? pseudoHeader : {}),
      ...ours?.(member),
    }),
    notes,
  }
}

function keepalived(variant: Variant): Mode {
  const { version = 3, intervalMs = 100, addresses = ipv4, extra } = variant
  return {
    ...common(variant),
    peer: 'keepalived 2.2.7',
    theirs: (lab, member) =>
      startKeepalived(lab, member.node, {
        version,
        intervalMs,
        addresses,
        priority: member.priority,
        extra: extra?.(member) ?? [],
        tuned: true,
      }),
  }
}

function frr(variant: Variant): Mode {
  const { version = 3, intervalMs = 100, addresses = ipv4 } = variant
  return {
    ...common(variant),
    peer: 'FRR 8.4',
    theirs: (lab, { node, priority }) => startFrr(lab, node, { version, intervalMs, addresses, priority }),
  }
}

const noCarrier: Note = {
  role: 'they',
  event: 'cable in',
  text:
    'FRR does not look at the carrier: unplugged, it stays Master (its log says nothing), and it is there again with ' +
    'the cable. Both hold the address until its next advertisement, at most an interval later.',
}

const firstAdvertLost: Note = {
  role: 'we',
  event: 'stop',
  mostOverlapMs: 100,
  text:
    'FRR cannot send its first IPv6 advertisement after it takes over ("Failed to find address to bind on vrrp6-51"); ' +
    'the next comes an interval later. Until we hear one we go on answering, at most for the longest skew of a successor.',
}

/** T-61 to T-63, T-65 to T-68, T-70, T-71 of the conformance list. */
export const modes: readonly Mode[] = [
  keepalived({ name: 'v2', version: 2, intervalMs: 1_000 }),
  keepalived({
    name: 'v2, password',
    version: 2,
    intervalMs: 1_000,
    ours: () => ({ authentication: { type: 'pass', password: 'secret12' } }),
    // RFC 2338 has eight characters; keepalived takes the first ones of a longer password.
    extra: ({ priority }) =>
      block('authentication', ['auth_type PASS', `auth_pass ${priority > 100 ? 'secret12' : 'secret1234567'}`]),
  }),
  keepalived({ name: 'v3' }),
  keepalived({ name: 'v3, IPv6', addresses: ipv6 }),
  keepalived({
    name: 'v3, unicast',
    ours: ({ self, other }) => ({ unicast: { source: self, peers: [other] } }),
    extra: ({ self, other }) => [`unicast_src_ip ${self}`, ...block('unicast_peer', [other])],
  }),
  keepalived({ name: 'v3, use_vmac', extra: () => ['use_vmac'] }),
  keepalived({
    name: 'v3, use_vmac, and we virtualMac',
    ours: () => ({ virtualMac: true }),
    extra: () => ['use_vmac'],
  }),
  keepalived({ name: 'v3, 10 ms', intervalMs: 10 }),
  frr({ name: 'v2', version: 2, intervalMs: 1_000, notes: [noCarrier] }),
  frr({ name: 'v3', notes: [noCarrier] }),
  frr({ name: 'v3, IPv6', addresses: ipv6, notes: [noCarrier, firstAdvertLost] }),
]

/** What a service of ours says in this mode. */
export function serviceOf(mode: Mode, member: Member): Readonly<Record<string, unknown>> {
  return webService(mode.ours(member))
}

/** Active_Down_Interval of whoever has this priority, and the skew in it (RFC 9568 §6.1; RFC 3768 §6.1), in milliseconds. */
export function skewMs({ version, intervalMs }: Mode, priority: number): number {
  return ((256 - priority) * (version === 2 ? 1_000 : intervalMs)) / 256
}

export function downMs(mode: Mode, priority: number): number {
  return 3 * mode.intervalMs + skewMs(mode, priority)
}

export function noteOf(mode: Mode, role: Role, event: EventName): Note | undefined {
  return mode.notes.find((note) => note.role === role && note.event === event)
}

/** What a cell says: how it went. */
export type Results = ReadonlyMap<string, Readonly<Partial<Record<EventName, string>>>>

export const rowOf = (mode: Mode, role: Role): string => `${mode.peer} | ${mode.name} | ${role}`

/** The file's text. */
export function interopTable(results: Results): string {
  const notes = [...new Set(modes.flatMap((mode) => mode.notes))]
  const cell = (mode: Mode, role: Role, event: EventName): string => {
    const note = noteOf(mode, role, event)
    const mark = note === undefined ? '' : ` (note ${notes.indexOf(note) + 1})`
    return `${results.get(rowOf(mode, role))?.[event] ?? 'not run'}${mark}`
  }
  const rows = modes.flatMap((mode) =>
    roles.map((role) => `| ${rowOf(mode, role)} | ${events.map((event) => cell(mode, role, event)).join(' | ')} |`),
  )
  return [
    ...opening,
    `| Peer | Mode | Active at first | ${events.join(' | ')} |`,
    `|${'---|'.repeat(3 + events.length)}`,
    ...rows,
    '',
    ...notes.map(({ text }, i) => `${i + 1}. ${text}`),
    '',
  ].join('\n')
}

const opening = `# Interop

Our agent and another program in one virtual router, in a lab of network namespaces: priority 200 is active at first, and
what a column says happens to it. After each event exactly one node held the address for as long as the other would wait
for it; neither program discarded or doubted anything of the other's.

A cell says when the other one had the address after the event (in \`cable in\`: when the first one had it back), the
bound (the RFC's for its timers, and 150 ms), and how long both held it. While a FRR is not active its address is on a
device without carrier. A killed machine loses its cable at once: nobody is left to remove its addresses.

Written by \`HOLDFAST_WRITE_INTEROP=1 npx vitest run --project patient test/lab/interop-matrix.test.ts\`; do not edit.
`.split('\n')
