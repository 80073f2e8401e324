/**
 * Signatures of DNS messages by a shared key (TSIG, RFC 8945): ours are signed, and an answer that says "done" is only
 * believed when its signature holds, over the request's own.
 */
import { classes, type Decoded, encodeName, encodeRecord, joined, readerOf, types, uint16, uint32 } from './message.ts'

export type Key = {
  readonly name: string
  readonly algorithm: 'hmac-sha256' | 'hmac-sha512'
  readonly secret: Uint8Array
}

/**
 * How far the two clocks may be apart, in seconds. Short, so that an update which was held up on its way is refused
 * (BADTIME) rather than done late.
 */
export const fudgeSeconds = 30

const hashes = { 'hmac-sha256': 'SHA-256', 'hmac-sha512': 'SHA-512' } as const

export type Signed = { readonly bytes: Uint8Array; readonly mac: Uint8Array }

/** `message`: encoded, without a signature. `seconds`: since 1970. `requestMac`: of what it answers, if it answers. */
export async function sign(message: Uint8Array, key: Key, seconds: number, requestMac?: Uint8Array): Promise<Signed> {
  const variables = { seconds, fudge: fudgeSeconds, error: 0, other: new Uint8Array() }
  const mac = await macOf(key, [...prefixOf(requestMac), message, variablesOf(key, variables)])
  const data = joined([
    encodeName(key.algorithm),
    uint48(seconds),
    uint16(fudgeSeconds),
    uint16(mac.length),
    mac,
    message.subarray(0, 2),
    uint16(0),
    uint16(0),
  ])
  const record = encodeRecord({ name: key.name, type: types.TSIG, class: classes.ANY, ttl: 0, data })
  const bytes = joined([message, record])
  setAdditionals(bytes, 1)
  return { bytes, mac }
}

export type Verified =
  | { readonly kind: 'holds' }
  | { readonly kind: 'unsigned' }
  /** Not by this key, or not of this answer to this request. */
  | { readonly kind: 'wrong' }
  /** The server's word about our own signature: 16 BADSIG, 17 BADKEY, 18 BADTIME with its clock in seconds. */
  | { readonly kind: 'error'; readonly error: number; readonly serverSeconds: number | null }

/** Judges the signature of an answer. `requestMac`: of the request. */
export async function verify(
  bytes: Uint8Array,
  { message, lastAt }: Decoded,
  { key, requestMac, seconds }: { readonly key: Key; readonly requestMac: Uint8Array; readonly seconds: number },
): Promise<Verified> {
  const record = message.additionals.at(-1)
  if (record?.type !== types.TSIG || lastAt === null) return { kind: 'unsigned' }
  const tsig = decodeTsig(record.data)
  if (tsig === null || record.name !== key.name.toLowerCase() || tsig.algorithm !== key.algorithm) {
    return tsig !== null && tsig.error !== 0 ? errorOf(tsig) : { kind: 'wrong' }
  }
  if (tsig.error === 16 || tsig.error === 17) return errorOf(tsig)
  const unsigned = bytes.slice(0, lastAt)
  unsigned.set(uint16(tsig.originalId), 0)
  setAdditionals(unsigned, message.additionals.length - 1)
  const mac = await macOf(key, [...prefixOf(requestMac), unsigned, variablesOf(key, tsig)])
  if (!same(mac, tsig.mac)) return { kind: 'wrong' }
  if (tsig.error !== 0) return errorOf(tsig)
  return Math.abs(seconds - tsig.seconds) <= tsig.fudge ? { kind: 'holds' } : { kind: 'wrong' }
}

/** The MAC that a message carries. Null: it is not signed. */
export function macIn({ message: { additionals } }: Decoded): Uint8Array | null {
  const record = additionals.at(-1)
  return record?.type === types.TSIG ? (decodeTsig(record.data)?.mac ?? null) : null
}

/** RFC 8945 section 4.3.1: an answer is signed over the request's MAC too, so that it answers nothing else. */
function prefixOf(requestMac: Uint8Array | undefined): readonly Uint8Array[] {
  return requestMac === undefined ? [] : [uint16(requestMac.length), requestMac]
}

type Tsig = {
  readonly algorithm: string
  readonly seconds: number
  readonly fudge: number
  readonly mac: Uint8Array
  readonly originalId: number
  readonly error: number
  readonly other: Uint8Array
}

function errorOf({ error, other }: Tsig): Verified {
  const view = new DataView(other.buffer, other.byteOffset, other.byteLength)
  const serverSeconds = other.length === 6 ? view.getUint16(0) * 2 ** 32 + view.getUint32(2) : null
  return { kind: 'error', error, serverSeconds }
}

function decodeTsig(data: Uint8Array): Tsig | null {
  try {
    const reader = readerOf(data)
    const algorithm = reader.name()
    const seconds = reader.uint16() * 2 ** 32 + reader.uint32()
    const fudge = reader.uint16()
    const mac = reader.bytes(reader.uint16())
    const [originalId, error] = [reader.uint16(), reader.uint16()]
    return { algorithm, seconds, fudge, mac, originalId, error, other: reader.bytes(reader.uint16()) }
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** RFC 8945 section 4.3.3: what of the signature itself is signed. */
function variablesOf(
  { name, algorithm }: Key,
  { seconds, fudge, error, other }: Pick<Tsig, 'seconds' | 'fudge' | 'error' | 'other'>,
): Uint8Array {
  return joined([
    encodeName(name),
    uint16(classes.ANY),
    uint32(0),
    encodeName(algorithm),
    uint48(seconds),
    uint16(fudge),
    uint16(error),
    uint16(other.length),
    other,
  ])
}

async function macOf({ algorithm, secret }: Key, parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const how = { name: 'HMAC', hash: hashes[algorithm] }
  const key = await crypto.subtle.importKey('raw', Uint8Array.from(secret), how, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, Uint8Array.from(joined(parts))))
}

function setAdditionals(bytes: Uint8Array, count: number): void {
  bytes.set(uint16(count), 10)
}

const uint48 = (value: number): Uint8Array => joined([uint16(Math.floor(value / 2 ** 32)), uint32(value % 2 ** 32)])

/** In a time that tells nothing about where they differ. */
function same(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length
  for (let i = 0; i < one.length; i++) difference |= one[i]! ^ (other[i] ?? 0)
  return difference === 0
}
