/**
 * A name in a zone of one's own DNS server that follows a service, by dynamic update (RFC 2136), signed (RFC 8945).
 *
 *   observe   three queries on one connection   A, AAAA, and the epoch record (`adapters/dns/epoch-record.ts`)
 *   apply     one UPDATE, all or nothing:
 *               prerequisites   all three exactly as they were observed, or absent as they were (`update.ts`)
 *               changes         the epoch record of this move, and the addresses of its node
 *
 * A server does nothing when a prerequisite does not hold: whoever writes on old knowledge, or late, changes nothing.
 * An update that was held up for longer than the signature's fudge is refused too. Over TCP, so that nothing is repeated
 * on the way.
 */
import { exchange } from '#rfc2136/transport'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { epochRecordName } from '../dns/epoch-record.ts'
import { isWithin } from '../dns/names.ts'
import { failure, noTarget } from '../failures.ts'
import { callMs } from '../http.ts'
import { placeName, readSecret } from '../secret.ts'
import { targetOf } from '../targets.ts'
import { failureOfAnswer } from './errors.ts'
import { classes, type Decoded, decodeMessage, encodeMessage, opcodes, type ResourceRecord, types } from './message.ts'
import type { Rfc2136Config, Rfc2136Target } from './schema.ts'
import { type Key, sign, verify } from './tsig.ts'
import { changesOf, choicesOf, trialOf } from './update.ts'
import { blockOf, epochOf, nothingSeen, observationOf, parseToken, type Seen, zoneOf } from './zone.ts'

type Binding = AdapterInput<Rfc2136Config, Rfc2136Target> & {
  readonly callTimeoutMs: number
  readonly now: () => number
}

/** `now`: milliseconds since 1970, for signatures. */
export function createRfc2136(
  input: AdapterInput<Rfc2136Config, Rfc2136Target>,
  { callTimeoutMs = callMs, now = Date.now }: { readonly callTimeoutMs?: number; readonly now?: () => number } = {},
): Adapter {
  const binding: Binding = { ...input, callTimeoutMs, now }
  return {
    capabilities: {
      cas: 'atomic',
      dryRun: true,
      ipv6: true,
      // The server that is asked is the one that was told.
      settleMs: 5_000,
      // After the fudge of its signature an update is refused.
      maxInFlightMs: 35_000,
      // The server that was updated answers, and its prerequisites refuse a repeat that comes too late.
      unsureMs: 2_000,
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => undefined,
  }
}

type Asking = { readonly opcode: number; readonly questions: Decoded['message']['questions'] } & {
  readonly prerequisites?: readonly ResourceRecord[]
  readonly changes?: readonly ResourceRecord[]
}

type Asked = { readonly kind: 'answered'; readonly messages: readonly Decoded['message'][] } | Failure

/** Signs, sends, and believes what is signed; an answer that refuses says why. */
async function ask(binding: Binding, asked: readonly Asking[], signal: AbortSignal): Promise<Asked> {
  const { config, callTimeoutMs, now } = binding
  const key = await keyOf(config)
  if (key.kind !== 'key') return key
  const seconds = Math.floor(now() / 1000)
  const first = crypto.getRandomValues(new Uint16Array(1))[0]!
  const signed = await Promise.all(
    asked.map(({ opcode, questions, prerequisites = [], changes = [] }, i) => {
      const id = (first + i) & 0xffff
      const head = { id, opcode, response: false, authoritative: false, rcode: 0, questions }
      return sign(
        encodeMessage({ ...head, answers: prerequisites, authorities: changes, additionals: [] }),
        key,
        seconds,
      )
    }),
  )
  const sent = signed.map(({ bytes }) => bytes)
  const exchanged = await exchange(serverOf(config), sent, { signal, timeoutMs: callTimeoutMs })
  if (exchanged.kind !== 'answered') return exchanged
  const messages: Decoded['message'][] = []
  for (const [i, bytes] of exchanged.answers.entries()) {
    const decoded = decodeMessage(bytes)
    if (decoded === null || !decoded.message.response) return strange('no message of DNS')
    const { mac: requestMac } = signed[i]!
    const verified = await verify(bytes, decoded, { key, requestMac, seconds: Math.floor(now() / 1000) })
    const failed = failureOfAnswer(decoded.message, verified, {
      update: asked[i]!.opcode === opcodes.update,
      nowMs: now(),
    })
    if (failed !== null) return failed
    messages.push(decoded.message)
  }
  return { kind: 'answered', messages }
}

const strange = (what: string): Failure =>
  failure('unknown', 'StrangeAnswer', `the server answered ${what}; is it a DNS server?`)

async function keyOf({ key }: Rfc2136Config): Promise<({ readonly kind: 'key' } & Key) | Failure> {
  const found = await readSecret(key.secret)
  if (found.kind !== 'secret') return found
  try {
    const secret = Uint8Array.from(atob(found.value), (character) => character.charCodeAt(0))
    return { kind: 'key', name: key.name, algorithm: key.algorithm, secret }
  } catch {
    return failure('permanent', 'NoCredentials', `${placeName(key.secret)} is no base64, as the secret of a key is`)
  }
}

function serverOf({ server }: Rfc2136Config): { readonly host: string; readonly port: number } {
  const [, six, four = '', port = '53'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(server) ?? []
  return { host: six ?? four, port: Number(port) }
}

const query = (name: string, type: number): Asking => {
  return { opcode: opcodes.query, questions: [{ name, type, class: classes.IN }] }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const { config, targets } = binding
  const questions = [
    query(config.name, types.A),
    query(config.name, types.AAAA),
    query(epochRecordName(config.name), types.TXT),
  ]
  const asked = await ask(binding, questions, signal)
  if (asked.kind !== 'answered') return { kind: 'unknown', failure: asked }
  return observationOf(asked.messages, { config, targets })
}

async function apply(binding: Binding, move: Move, signal: AbortSignal): Promise<Outcome> {
  const { config, targets } = binding
  const target = targetOf(targets, move.node)
  if (target === undefined) return noTarget(move.node)
  const seen = move.token === null ? nothingSeen : parseToken(move.token)
  if (seen === null) return failure('conflict', 'StrangeToken', 'the token is none of this adapter')
  const held = epochOf(seen)
  if (held !== null && move.epoch < held) {
    return failure('conflict', 'StaleEpoch', `epoch ${move.epoch} is lower than ${held}, which the zone holds`)
  }
  const zone = await zoneName(binding, signal)
  if (zone.kind !== 'zone') return zone
  const outcome = await update(binding, { zone: zone.name, seen, changes: changesOf(config, target, move) }, signal)
  const block = blockOf(seen, config)
  return outcome.kind === 'conflict' && block !== null ? failure('permanent', 'NotSimple', block) : outcome
}

type Update = { readonly zone: string; readonly seen: Seen; readonly changes: readonly ResourceRecord[] }

/** Makes the changes if all is as it was seen; a conflict says that it is not. */
async function update(binding: Binding, { zone, seen, changes }: Update, signal: AbortSignal): Promise<Outcome> {
  const questions = [{ name: zone, type: types.SOA, class: classes.IN }]
  let outcome: Outcome = failure('conflict', 'Changed', 'the name is not as it was observed')
  for (const prerequisites of choicesOf(binding.config, seen)) {
    const asked = await ask(binding, [{ opcode: opcodes.update, questions, prerequisites, changes }], signal)
    outcome = asked.kind === 'answered' ? { kind: 'done' } : asked
    if (outcome.kind !== 'conflict') break
  }
  return outcome
}

/** The zone that the name lies in, which the server itself knows best. */
async function zoneName(
  binding: Binding,
  signal: AbortSignal,
): Promise<{ readonly kind: 'zone'; readonly name: string } | Failure> {
  const { config } = binding
  if (config.zone !== undefined) return { kind: 'zone', name: config.zone }
  const asked = await ask(binding, [query(config.name, types.SOA)], signal)
  if (asked.kind !== 'answered') return asked
  const name = zoneOf(asked.messages[0]!, config.name)
  if (name !== null) return { kind: 'zone', name }
  return failure('permanent', 'NoZone', `the server says no zone for ${config.name}: is it the zone's primary?`)
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config } = binding
  const finding = (check: string, failed: Failure | null): Finding => {
    const message = failed === null ? null : `${failed.code}: ${failed.message}`
    return { check, result: failed === null ? 'passed' : 'failed', message }
  }
  const seen = await observe(binding, signal)
  const read = finding(
    `read ${config.name} and ${epochRecordName(config.name)} at ${config.server}`,
    seen.kind === 'unknown' ? seen.failure : null,
  )
  if (seen.kind === 'unknown') return [read]
  const zone = await zoneName(binding, signal)
  if (zone.kind !== 'zone') return [read, finding(`find the zone of ${config.name}`, zone)]
  const lies = isWithin(config.name, zone.name)
    ? null
    : failure('permanent', 'NotInZone', `${config.name} is not below ${zone.name}`)
  const check = `${config.name} lies in the zone ${zone.name}`
  return [read, finding(check, lies), await permission(binding, { zone: zone.name, token: seen.token }, signal)]
}

/**
 * An update that takes away records which are not there, if all is as it was seen: whoever may is told that it is done,
 * and nothing has changed; whoever may not is refused.
 */
async function permission(
  binding: Binding,
  { zone, token }: { readonly zone: string; readonly token: string | null },
  signal: AbortSignal,
): Promise<Finding> {
  const { config } = binding
  const check = `update ${config.name} and ${epochRecordName(config.name)} with the key ${config.key.name}`
  const seen = parseToken(token ?? '') ?? nothingSeen
  const outcome = await update(binding, { zone, seen, changes: trialOf(config, seen) }, signal)
  if (outcome.kind === 'done') return { check, result: 'passed', message: null }
  const block = blockOf(seen, config)
  if (outcome.kind !== 'conflict') return { check, result: 'failed', message: `${outcome.code}: ${outcome.message}` }
  if (block !== null) return { check, result: 'failed', message: block }
  return { check, result: 'untried', message: 'somebody changed the name meanwhile' }
}
