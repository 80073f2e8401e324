/** What is asked of rtnetlink about macvlan devices, octet by octet, and what it tells of them. */
import { expect, test } from 'vitest'
import { decodeMacvlan, encodeCreateMacvlan, encodeDeleteLink, encodeSetUp } from '../../../node-agent/wire/link.ts'
import { decodeMessages } from '../../../node-agent/wire/netlink.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const mac = Uint8Array.of(0, 0, 0x5e, 0, 1, 51)

test('up and down change nothing but the one flag', () => {
  const header = '00000000' // family, pad, type
  expect(hex(encodeSetUp(7, true, 1).subarray(16))).toBe(`${header}07000000${'01000000'.repeat(2)}`)
  expect(hex(encodeSetUp(7, false, 1).subarray(16))).toBe(`${header}07000000${'00000000'}${'01000000'}`)
})

test('what is made is what the kernel would tell of it', () => {
  const [message] = decodeMessages(encodeCreateMacvlan({ name: 'hf4-51-2', mac, parent: 2 }, 9))
  expect(message).toMatchObject({ type: 16, flags: 0x605, sequence: 9 })
  const decoded = decodeMacvlan(message!)
  expect(decoded).toEqual({ index: 0, name: 'hf4-51-2', mac, parent: 2, private: true, up: false, alias: '' })
})

test('a link of another kind, and one cut short, is none', () => {
  const [message] = decodeMessages(encodeDeleteLink(7, 1))
  expect(decodeMacvlan(message!)).toBeUndefined()
  expect(decodeMacvlan({ ...message!, payload: message!.payload.subarray(0, 12) })).toBeUndefined()
})
