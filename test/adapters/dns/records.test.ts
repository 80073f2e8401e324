/** Names and values that are the same, however they are written. */
import { expect, test } from 'vitest'
import { isWithin, normalisedName, zoneNameSchema } from '../../../adapters/dns/names.ts'
import { canonicalValue, recordSetsOf, sameRecords } from '../../../adapters/dns/records.ts'

test.each([
  ['VIP.Example.com.', 'vip.example.com'],
  ['\\052.example.com.', '*.example.com'],
  ['*.example.com', '*.example.com'],
])('%s is %s', (name, expected) => {
  expect(normalisedName(name)).toBe(expected)
})

test.each([
  ['vip.example.com', 'example.com.', true],
  ['example.com', 'Example.com', true],
  ['notexample.com', 'example.com', false],
  ['example.com', 'vip.example.com', false],
])('%s within %s: %s', (name, zone, expected) => {
  expect(isWithin(name, zone)).toBe(expected)
})

test.each([
  ['AAAA', '2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['AAAA', 'no address', 'no address'],
  ['A', '192.0.2.1', '192.0.2.1'],
  ['CNAME', 'N1.Example.net.', 'n1.example.net'],
] as const)('%s %s is %s', (type, value, expected) => {
  expect(canonicalValue(type, value)).toBe(expected)
})

test('order and repetition make no difference, type and value do', () => {
  const target = recordSetsOf({ aaaa: ['2001:db8::2', '2001:db8::1'], a: ['192.0.2.1', '192.0.2.1'] })
  const seen = [
    { type: 'AAAA', values: ['2001:DB8::1', '2001:db8::2'] },
    { type: 'A', values: ['192.0.2.1'] },
  ] as const
  expect(sameRecords(target, seen)).toBe(true)
  expect(sameRecords(target, seen.slice(0, 1))).toBe(false)
  expect(sameRecords(target, [seen[0], { type: 'A', values: ['192.0.2.2'] }])).toBe(false)
})

test('a zone may be one word, and is no wildcard', () => {
  expect(['internal', 'Example.com.', '_x.example'].map((zone) => zoneNameSchema.parse(zone))).toEqual([
    'internal',
    'example.com',
    '_x.example',
  ])
  for (const zone of ['', '.', '*.example.com', 'a b', '-a']) expect(zoneNameSchema.safeParse(zone).success).toBe(false)
})
