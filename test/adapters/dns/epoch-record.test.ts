/** The epoch record: its name, and that it is written and read in one way only. */
import { expect, test } from 'vitest'
import { epochRecordName, epochText, parseEpochText } from '../../../adapters/dns/epoch-record.ts'

test.each([
  ['vip.example.com', '_holdfast.vip.example.com'],
  ['*.example.com', '_holdfast._wildcard.example.com'],
  ['*.vip.example.com.', '_holdfast._wildcard.vip.example.com.'],
])('beside %s stands %s', (name, expected) => {
  expect(epochRecordName(name)).toBe(expected)
})

test.each([
  { epoch: 0, owner: 'n1' },
  { epoch: 42, owner: 'node-a' },
  { epoch: Number.MAX_SAFE_INTEGER, owner: 'Edge_2.west' },
])('reads what it writes: $epoch $owner', (record) => {
  expect(parseEpochText(epochText(record))).toEqual(record)
})

test('is written as the design has it', () => {
  expect(epochText({ epoch: 42, owner: 'n2' })).toBe('v=1 epoch=42 owner=n2')
})

test.each([
  '',
  'v=2 epoch=42 owner=n2',
  'v=1 epoch=042 owner=n2',
  'v=1 epoch=-1 owner=n2',
  'v=1 epoch=1.5 owner=n2',
  'v=1 epoch=1e3 owner=n2',
  'v=1 epoch=9007199254740993 owner=n2',
  'v=1 epoch=42',
  'v=1 epoch=42 owner=',
  'v=1 epoch=42 owner=n2-',
  'v=1  epoch=42 owner=n2',
  'v=1 epoch=42 owner=n2 ',
  ' v=1 epoch=42 owner=n2',
  'v=1 epoch=42 owner=n2\n',
  'v=1 epoch=42 owner=n2 more=1',
  'v=1 epoch=42 owner="n2"',
  '"v=1 epoch=42 owner=n2"',
  'V=1 epoch=42 owner=n2',
])('is nobody else’s text: %j', (text) => {
  expect(parseEpochText(text)).toBe(null)
})
