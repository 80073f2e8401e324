/** Bytes in tests: written as hex, compared as hex, so that a difference can be read. */
import { expect } from 'vitest'

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.replace(/\s/g, '').match(/../g) ?? [], (octet) => Number.parseInt(octet, 16))
}

export function expectBytes(actual: Uint8Array, expected: string): void {
  expect(Buffer.from(actual).toString('hex')).toBe(expected.replace(/\s/g, ''))
}
