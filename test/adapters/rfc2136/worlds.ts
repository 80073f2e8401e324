/** The worlds of rfc2136: real servers, what makes them go wrong, and the plain way to change what they hold. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createRfc2136 } from '../../../adapters/rfc2136/adapter.ts'
import {
  addressData,
  addressOf,
  classes,
  decodeMessage,
  encodeMessage,
  opcodes,
  type ResourceRecord,
  types,
} from '../../../adapters/rfc2136/message.ts'
import { exchange } from '../../../adapters/rfc2136/node/transport.ts'
import { rfc2136Schema } from '../../../adapters/rfc2136/schema.ts'
import { type Key, sign } from '../../../adapters/rfc2136/tsig.ts'
import { createDnsFront, type DnsFront } from '../../../infra/lab/dns/front.ts'
import { type DnsServer, labKey, vip, zone } from '../../../infra/lab/dns/servers.ts'
import type { CaseFault, Place, PlainWorld, World } from '../adapter-cases.ts'
import { createManualTimers } from '../manual-timers.ts'

export const targets = {
  n1: { a: ['192.0.2.11'], aaaa: ['2001:db8::11'] },
  n2: { a: ['192.0.2.12', '192.0.2.22'] },
} as const
const places = { ...targets, foreign: { a: ['192.0.2.99'] } }

export const names = { service: 'web', binding: 'dns' }

export function adapterAt(
  port: number,
  options: { key?: { name: string; secret: string }; now?: () => number; name?: string; ttl?: number } = {},
): Adapter {
  const { name, secret } = options.key ?? labKey
  vi.stubEnv(`TSIG_${name.toUpperCase()}`, secret)
  const key = { name, secret: { env: `TSIG_${name.toUpperCase()}` } }
  const { name: moved = vip, ttl } = options
  const config = rfc2136Schema.config.parse({ server: `127.0.0.1:${port}`, name: moved, ttl, key })
  const now = options.now === undefined ? {} : { now: options.now }
  return createRfc2136(
    {
      ...names,
      config,
      targets: { n1: { a: [...targets.n1.a], aaaa: [...targets.n1.aaaa] }, n2: { a: [...targets.n2.a] } },
    },
    now,
  )
}

const signal = new AbortController().signal
export const signingKey: Key = {
  name: labKey.name,
  algorithm: 'hmac-sha256',
  secret: Buffer.from(labKey.secret, 'base64'),
}

/** One message of the test's own, signed with the lab's key. */
async function send(
  port: number,
  opcode: number,
  question: { name: string; type: number },
  changes: readonly ResourceRecord[] = [],
) {
  const head = { id: Math.floor(Math.random() * 65_536), response: false, authoritative: false, rcode: 0, opcode }
  const questions = [{ ...question, class: classes.IN }]
  const bytes = encodeMessage({ ...head, questions, answers: [], authorities: changes, additionals: [] })
  const signed = await sign(bytes, signingKey, Math.floor(Date.now() / 1000))
  const answer = await exchange({ host: '127.0.0.1', port }, [signed.bytes], { signal, timeoutMs: 5_000 })
  if (answer.kind !== 'answered') throw new Error(JSON.stringify(answer))
  return decodeMessage(answer.answers[0]!)!.message
}

export async function update(port: number, changes: readonly ResourceRecord[]): Promise<number> {
  return (await send(port, opcodes.update, { name: zone, type: types.SOA }, changes)).rcode
}

/** What a question is answered with. */
export async function answersAt(port: number, name: string, type: number): Promise<readonly ResourceRecord[]> {
  return (await send(port, opcodes.query, { name, type })).answers
}

export async function addressesAt(port: number): Promise<readonly string[]> {
  const answers = await Promise.all([types.A, types.AAAA].map((type) => send(port, opcodes.query, { name: vip, type })))
  return answers.flatMap((message) => message.answers.map(({ data }) => addressOf(data)!)).toSorted()
}

export async function worldOf(server: DnsServer): Promise<{ readonly adapter: Adapter; readonly world: PlainWorld }> {
  const { port } = server
  const nothing = new Uint8Array()
  const gone = (name: string, type: number) => ({ name, type, class: classes.ANY, ttl: 0, data: nothing })
  const setOutOfBand = async (place: Place): Promise<void> => {
    const { a = [], aaaa = [] }: { a?: readonly string[]; aaaa?: readonly string[] } =
      place === null ? {} : places[place]
    const added = [
      ...a.map((address) => ({ name: vip, type: types.A, class: classes.IN, ttl: 30, data: addressData(address) })),
      ...aaaa.map((address) => ({
        name: vip,
        type: types.AAAA,
        class: classes.IN,
        ttl: 30,
        data: addressData(address),
      })),
    ]
    const code = await update(port, [gone(vip, types.A), gone(vip, types.AAAA), ...added])
    if (code !== 0) throw new Error(`the server answered ${code}`)
  }
  const world: PlainWorld = {
    owner: async () => {
      const found = (await addressesAt(port)).join(' ')
      if (found === '') return null
      const known = Object.entries(places).find(([, { a, ...rest }]) => {
        const aaaa = 'aaaa' in rest ? rest.aaaa : []
        return [...a, ...aaaa].toSorted().join(' ') === found
      })
      return (known?.[0] ?? 'foreign') as Place
    },
    setOutOfBand,
    unreachable: async () => adapterAt(1),
    end: async () => undefined,
  }
  // A world of its own in a server that is shared: as it was at the start.
  await update(port, [gone(`_holdfast.${vip}`, types.TXT)])
  await setOutOfBand(null)
  return { adapter: adapterAt(port), world }
}

/** A real server behind a front that makes it go wrong; time for that is the test's own. */
export async function faultyWorld(server: DnsServer): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly front: DnsFront
}> {
  const { world: plain } = await worldOf(server)
  const timers = createManualTimers()
  const watched = [
    { name: vip, type: types.A },
    { name: vip, type: types.AAAA },
    { name: `_holdfast.${vip}`, type: types.TXT },
  ]
  const front = await createDnsFront({ port: server.port, key: signingKey, watched, timers })
  const actionOf = { observe: 'QUERY', apply: 'UPDATE' } as const
  const hung = () => front.requests.filter(({ outcome }) => outcome.includes('not answered')).length
  let hangs = 0
  const world: World = {
    ...plain,
    saysTooMany: false,
    setOutOfBand: async (place) => {
      await plain.setOutOfBand(place)
      await front.changed()
    },
    inject: (action, fault) => {
      if (fault === 'hang') hangs += 1
      front.faults.add({ ...faults[fault], action: actionOf[action], next: 1 })
    },
    lag: (what, ms) => {
      front.faults.clear()
      if (what === 'late-write') front.faults.add({ kind: what, action: actionOf.apply, ms })
      if (what === 'stale-reads') front.faults.add({ kind: what, action: actionOf.observe, ms })
    },
    pass: async (ms) => {
      timers.pass(ms)
      await front.idle()
    },
    hanging: () => vi.waitFor(() => expect(hung()).toBe(hangs)),
    secrets: [labKey.secret, Buffer.from(labKey.secret, 'base64').toString()],
    end: () => front.close(),
  }
  return { adapter: adapterAt(front.port), world, front }
}

const faults = {
  // A server with too many connections, or too many updates at once, just closes: DNS has no words for it.
  throttled: { kind: 'reset-before' },
  unavailable: { kind: 'error', code: 'SERVFAIL' },
  denied: { kind: 'error', code: 'REFUSED' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>
