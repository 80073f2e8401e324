/** What an answer of a DNS server means to control, by its code and by what it says of our signature: two tables. */
import type { Failure } from '../adapter.ts'
import { type FailureKind, failure } from '../failures.ts'
import type { Message } from './message.ts'
import type { Verified } from './tsig.ts'

type Row = readonly [kind: FailureKind, code: string, message: string]

/** RFC 1035 section 4.1.1, RFC 2136 section 2.2. */
const byCode: Readonly<Record<number, Row>> = {
  1: ['permanent', 'FORMERR', 'the server does not understand the message'],
  2: ['retry', 'SERVFAIL', 'the server has trouble of its own: its log says which'],
  3: ['conflict', 'NXDOMAIN', 'a name is not as it was observed'],
  4: ['permanent', 'NOTIMP', 'the server does no dynamic updates: allow them for the zone'],
  5: ['permanent', 'REFUSED', 'the server refuses: allow this key to update the name and its epoch record'],
  6: ['conflict', 'YXDOMAIN', 'a name is not as it was observed'],
  7: ['conflict', 'YXRRSET', 'a record is there that was not when it was observed'],
  8: ['conflict', 'NXRRSET', 'a record is not as it was observed'],
  9: ['permanent', 'NOTAUTH', 'the server is not the primary of the zone, or does not accept the key'],
  10: ['permanent', 'NOTZONE', 'the name does not lie in the zone'],
}

/** RFC 8945 section 5.3. */
const bySignature: Readonly<Record<number, readonly [code: string, message: string]>> = {
  16: ['BADSIG', 'the server finds the signature wrong: is it the same secret on both sides?'],
  17: [
    'BADKEY',
    'the server does not know the key by this name and algorithm, or (Knot) does not let it update the name',
  ],
  18: ['BADTIME', 'the server finds the signature too old or too new'],
}

/** Null: the answer is what was asked for. */
export function failureOfAnswer(
  { rcode }: Message,
  verified: Verified,
  { update, nowMs }: { readonly update: boolean; readonly nowMs: number },
): Failure | null {
  if (verified.kind === 'error') return signatureFailure(verified, nowMs)
  // A name that is not there is an answer to a question, and a refusal of an update.
  const isGood = rcode === 0 || (rcode === 3 && !update)
  if (!isGood) {
    const [kind, code, message] = byCode[rcode] ?? [
      'permanent',
      `RCODE ${rcode}`,
      'the server refuses for an unknown reason',
    ]
    return failure(kind, code, message)
  }
  if (verified.kind === 'holds') return null
  const why = verified.kind === 'unsigned' ? 'is not signed' : 'has a wrong signature'
  return failure('unknown', 'Unverified', `the answer ${why}, so that nobody knows who gave it`)
}

function signatureFailure({ error, serverSeconds }: Extract<Verified, { kind: 'error' }>, nowMs: number): Failure {
  const [code, message] = bySignature[error] ?? [`TSIG ${error}`, 'the server does not accept the signature']
  if (serverSeconds === null) return failure('permanent', code, message)
  const off = Math.round(nowMs / 1000 - serverSeconds)
  const side = off > 0 ? 'ahead of' : 'behind'
  return failure('permanent', code, `${message}: this machine's clock is ${Math.abs(off)} s ${side} the server's`)
}
