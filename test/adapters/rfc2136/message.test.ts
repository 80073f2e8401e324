/** Messages and signatures of rfc2136: there and back, and safe on whatever comes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalValue } from '../../../adapters/dns/records.ts'
import {
  addressData,
  addressOf,
  decodeMessage,
  encodeMessage,
  type Message,
  type ResourceRecord,
  textData,
  textOf,
} from '../../../adapters/rfc2136/message.ts'
import { macIn, sign, verify } from '../../../adapters/rfc2136/tsig.ts'
import { signingKey as key } from './worlds.ts'

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9-]{0,10}[a-z0-9])?$/)
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'))
const uint16 = fc.integer({ min: 0, max: 0xffff })
const record: fc.Arbitrary<ResourceRecord> = fc.record({
  name,
  type: uint16,
  class: uint16,
  ttl: fc.integer({ min: 0, max: 0xffff_ffff }),
  data: fc.uint8Array({ maxLength: 40 }),
})
const message: fc.Arbitrary<Message> = fc.record({
  id: uint16,
  opcode: fc.integer({ min: 0, max: 15 }),
  response: fc.boolean(),
  authoritative: fc.boolean(),
  rcode: fc.integer({ min: 0, max: 15 }),
  questions: fc.array(fc.record({ name, type: uint16, class: uint16 }), { maxLength: 2 }),
  answers: fc.array(record, { maxLength: 3 }),
  authorities: fc.array(record, { maxLength: 3 }),
  additionals: fc.array(record, { maxLength: 2 }),
})

describe('messages', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(message, (written) => {
        expect(decodeMessage(encodeMessage(written))?.message).toEqual(written)
      }),
    )
  })

  test('that are cut short are none', () => {
    fc.assert(
      fc.property(message, fc.nat(), (written, at) => {
        const bytes = encodeMessage(written)
        expect(decodeMessage(bytes.subarray(0, at % bytes.length))).toBeNull()
      }),
    )
  })

  test('any bytes are a message or none, and soon known to be', () => {
    // After a head that promises many records, which is where a reader could be led in circles.
    const heads = fc.constantFrom(
      [],
      [0, 1, 0x84, 0, 0, 1, 0, 2, 0, 1, 0, 1],
      [0, 1, 0x84, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    )
    const tails = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 12, 0xc0)), { maxLength: 600 })
    fc.assert(
      fc.property(heads, tails, (head, tail) => {
        const decoded = decodeMessage(Uint8Array.from([...head, ...tail]))
        expect(decoded === null || typeof decoded.message.id === 'number').toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['to itself', [0xc0, 12]],
    ['back into its own label', [1, 97, 0xc0, 12]],
    ['forward', [0xc0, 40]],
    ['beyond the end', [0xff, 0xff]],
  ])('a name that points %s is none', (_, pointer) => {
    const bytes = Uint8Array.from([0, 1, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...pointer, 0, 1, 0, 1])
    expect(decodeMessage(bytes)).toBeNull()
  })

  test('a name is found where it was before', () => {
    const question = [3, 86, 105, 80, 7, ...new TextEncoder().encode('example'), 0, 0, 1, 0, 1]
    const answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1]
    const bytes = Uint8Array.from([0, 1, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0, ...question, ...answer])
    expect(decodeMessage(bytes)?.message).toMatchObject({
      questions: [{ name: 'vip.example' }],
      answers: [{ name: 'vip.example', ttl: 30, data: Uint8Array.of(192, 0, 2, 1) }],
    })
  })

  test('addresses and texts come back in their one form', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[ -~]{0,255}$/), (four, six, text) => {
        expect(addressOf(addressData(four))).toBe(four)
        expect(addressOf(addressData(six))).toBe(canonicalValue('AAAA', six))
        expect(textOf(textData(text))).toBe(text)
      }),
    )
    expect([addressOf(Uint8Array.of(1, 2, 3)), textOf(Uint8Array.of(9, 97))]).toEqual([null, null])
    // An update replaces exactly what it names: what others have cut up is not taken for one text of ours.
    expect(textOf(Uint8Array.of(1, 97, 1, 98))).toBe('a" "b')
  })
})

describe('signatures', () => {
  const seconds = 1_800_000_000
  const head = { id: 7, opcode: 5, authoritative: false, questions: [], authorities: [], additionals: [] }
  const request = encodeMessage({ ...head, response: false, rcode: 0, answers: [] })
  const answer = encodeMessage({
    ...head,
    response: true,
    rcode: 0,
    answers: [{ name: 'vip.example.com', type: 1, class: 1, ttl: 30, data: Uint8Array.of(192, 0, 2, 1) }],
  })
  const judge = async (bytes: Uint8Array, requestMac: Uint8Array, at = seconds, by = key) =>
    (await verify(bytes, decodeMessage(bytes)!, { key: by, requestMac, seconds: at })).kind

  test('hold for this answer to this request by this key at about this time, and for nothing else', async () => {
    for (const algorithm of ['hmac-sha256', 'hmac-sha512'] as const) {
      const by = { ...key, algorithm }
      const { mac } = await sign(request, by, seconds)
      const { bytes } = await sign(answer, by, seconds, mac)
      expect(await judge(bytes, mac, seconds, by)).toBe('holds')
      expect(await judge(bytes, mac, seconds + 30, by)).toBe('holds')
      expect(await judge(bytes, mac, seconds + 31, by)).toBe('wrong')
      expect(await judge(bytes, mac, seconds - 31, by)).toBe('wrong')
      expect(await judge(bytes, (await sign(request, by, seconds + 1)).mac, seconds, by)).toBe('wrong')
      expect(await judge(bytes, mac, seconds, { ...by, secret: Uint8Array.of(1, 2, 3) })).toBe('wrong')
      expect(await judge(bytes, mac, seconds, { ...by, name: 'another' })).toBe('wrong')
      expect(await judge((await sign(answer, by, seconds)).bytes, mac, seconds, by)).toBe('wrong')
      expect(await judge(answer, mac, seconds, by)).toBe('unsigned')
    }
  })

  test('hold no longer when a bit of the answer is another', async () => {
    const { mac } = await sign(request, key, seconds)
    const { bytes } = await sign(answer, key, seconds, mac)
    const { lastAt } = decodeMessage(bytes)!
    await fc.assert(
      // The id is signed as the signature itself says it, and compared by whoever reads answers.
      fc.asyncProperty(fc.integer({ min: 16, max: lastAt! * 8 - 1 }), async (bit) => {
        const changed = Uint8Array.from(bytes)
        changed[bit >> 3]! ^= 1 << (bit & 7)
        const decoded = decodeMessage(changed)
        const verified = decoded && (await verify(changed, decoded, { key, requestMac: mac, seconds }))
        expect(verified?.kind).not.toBe('holds')
      }),
    )
  })

  test('a MAC is found where there is one', async () => {
    const signed = await sign(request, key, seconds)
    expect(macIn(decodeMessage(signed.bytes)!)).toEqual(signed.mac)
    expect(macIn(decodeMessage(request)!)).toBeNull()
  })
})
