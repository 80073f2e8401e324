/**
 * Messages of DNS as bytes (RFC 1035 section 4, RFC 2136): as much as an UPDATE and the queries beside it need.
 *
 * Decoding is safe on any bytes: what is cut short, points nowhere or in a circle is no message.
 */

export const types = { A: 1, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, TSIG: 250, ANY: 255 } as const
export const classes = { IN: 1, NONE: 254, ANY: 255 } as const
export const opcodes = { query: 0, update: 5 } as const

export type Question = { readonly name: string; readonly type: number; readonly class: number }
/** `ttl` in seconds; `data` as on the wire. */
export type ResourceRecord = Question & { readonly ttl: number; readonly data: Uint8Array }

export type Message = {
  readonly id: number
  readonly opcode: number
  readonly response: boolean
  readonly authoritative: boolean
  readonly rcode: number
  /** Of an UPDATE: the zone. */
  readonly questions: readonly Question[]
  /** Of an UPDATE: what must hold. */
  readonly answers: readonly ResourceRecord[]
  /** Of an UPDATE: what shall change. */
  readonly authorities: readonly ResourceRecord[]
  readonly additionals: readonly ResourceRecord[]
}

/** `lastAt`: where the last of the additional records begins, as a signature does; null without any. */
export type Decoded = { readonly message: Message; readonly lastAt: number | null }

export function encodeMessage(message: Message): Uint8Array {
  const { id, opcode, response, authoritative, rcode, questions, answers, authorities, additionals } = message
  const flags = (response ? 0x8000 : 0) | (opcode << 11) | (authoritative ? 0x0400 : 0) | rcode
  const counts = [questions, answers, authorities, additionals].map(({ length }) => length)
  return joined([
    uint16(id),
    uint16(flags),
    ...counts.map(uint16),
    ...questions.map(({ name, type, class: among }) => joined([encodeName(name), uint16(type), uint16(among)])),
    ...[...answers, ...authorities, ...additionals].map(encodeRecord),
  ])
}

export function encodeRecord({ name, type, class: among, ttl, data }: ResourceRecord): Uint8Array {
  return joined([encodeName(name), uint16(type), uint16(among), uint32(ttl), uint16(data.length), data])
}

/** In small letters, as signatures are computed over it. */
export function encodeName(name: string): Uint8Array {
  const labels = name
    .toLowerCase()
    .split('.')
    .filter((label) => label !== '')
  const encoded = labels.map((label) => joined([Uint8Array.of(label.length), new TextEncoder().encode(label)]))
  return joined([...encoded, Uint8Array.of(0)])
}

/** Null: the bytes are no message. */
export function decodeMessage(bytes: Uint8Array): Decoded | null {
  try {
    return decode(bytes)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function decode(bytes: Uint8Array): Decoded {
  const reader = readerOf(bytes)
  const [id, flags] = [reader.uint16(), reader.uint16()]
  const [questions = 0, answers = 0, authorities = 0, additionals = 0] = Array.from({ length: 4 }, reader.uint16)
  let lastAt: number | null = null
  const record = (): ResourceRecord => {
    lastAt = reader.at()
    const [name, type, among, ttl] = [reader.name(), reader.uint16(), reader.uint16(), reader.uint32()]
    return { name, type, class: among, ttl, data: reader.bytes(reader.uint16()) }
  }
  const list = (count: number) => Array.from({ length: count }, record)
  const question = (): Question => ({ name: reader.name(), type: reader.uint16(), class: reader.uint16() })
  const asked = Array.from({ length: questions }, question)
  const [answered, authority] = [list(answers), list(authorities)]
  lastAt = null
  const additional = list(additionals)
  const message: Message = {
    id,
    opcode: (flags >> 11) & 15,
    response: (flags & 0x8000) !== 0,
    authoritative: (flags & 0x0400) !== 0,
    rcode: flags & 15,
    questions: asked,
    answers: answered,
    authorities: authority,
    additionals: additional,
  }
  return { message, lastAt }
}

/** Reads one after another; beyond the end is a RangeError. */
export function readerOf(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const reader = {
    at: () => at,
    uint16: () => {
      at += 2
      return view.getUint16(at - 2)
    },
    uint32: () => {
      at += 4
      return view.getUint32(at - 4)
    },
    bytes: (length: number) => {
      if (at + length > bytes.length) throw new RangeError('beyond the end')
      at += length
      return bytes.subarray(at - length, at)
    },
    name: () => {
      const { name, end } = nameAt(view, at)
      at = end
      return name
    },
  }
  return reader
}

/** A pointer leads to what came before it, so that none leads in a circle. */
function nameAt(view: DataView, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  let end: number | null = null
  for (;;) {
    const length = view.getUint8(at)
    if (length === 0) return { name: labels.join('.'), end: end ?? at + 1 }
    if (length >= 0xc0) {
      const target = view.getUint16(at) & 0x3fff
      if (target >= at) throw new RangeError('a pointer forward')
      end ??= at + 2
      at = target
    } else if (length > 63) throw new RangeError('a label of an unknown kind')
    else {
      if (at + 1 + length > view.byteLength || labels.length > 127) throw new RangeError('beyond the end')
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at + 1, length)
      labels.push(new TextDecoder('latin1').decode(bytes).toLowerCase())
      at += 1 + length
    }
  }
}

/** The text of a TXT record; of several strings, which ours never has, with the quotes between them. Null when it is none. */
export function textOf(data: Uint8Array): string | null {
  const texts: string[] = []
  for (let at = 0; at < data.length; ) {
    const length = data[at]!
    if (at + 1 + length > data.length) return null
    texts.push(new TextDecoder('latin1').decode(data.subarray(at + 1, at + 1 + length)))
    at += 1 + length
  }
  return texts.join('" "')
}

/** One string of up to 255 characters. */
export function textData(text: string): Uint8Array {
  return joined([Uint8Array.of(text.length), new TextEncoder().encode(text)])
}

export function addressData(address: string): Uint8Array {
  if (!address.includes(':')) return Uint8Array.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (part: string): number[] => part.split(':').filter(Boolean).flatMap(groupsOf)
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => 0)
  return Uint8Array.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 255]))
}

/** An IPv4 address at the end stands for two groups. */
function groupsOf(group: string): readonly number[] {
  if (!group.includes('.')) return [Number.parseInt(group, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
  return [(a << 8) | b, (c << 8) | d]
}

/** As `canonicalValue` writes it. Null when the length is none of an address's. */
export function addressOf(data: Uint8Array): string | null {
  if (data.length === 4) return data.join('.')
  if (data.length !== 16) return null
  const groups = Array.from({ length: 8 }, (_, i) => ((data[2 * i]! << 8) | data[2 * i + 1]!).toString(16))
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}

export const uint16 = (value: number): Uint8Array => Uint8Array.of((value >> 8) & 255, value & 255)

export const uint32 = (value: number): Uint8Array =>
  Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
