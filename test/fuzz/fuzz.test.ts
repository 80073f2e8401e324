import { expect, test } from 'vitest'
import { discardReasons } from '../../node-agent/vrrp/admit.ts'
import { blockLength, fuzz } from './fuzz.ts'

/** Two hundred thousand, or as many as a slow machine does in a minute; `npm run fuzz` does ten million. */
test('mutated packets throw nothing, are judged as the rules say, and those discarded change nothing (R-00, T-74)', {
  timeout: 180_000,
}, () => {
  const until = Date.now() + 60_000
  const { packets, admitted, discards } = fuzz({ seed: 1, from: 0, count: 200_000 }, () => Date.now() < until)
  expect(packets).toBeGreaterThanOrEqual(blockLength)
  // It tests something only while packets get through to every rule.
  expect(admitted).toBeGreaterThan(packets / 100)
  expect(Object.keys(discards).toSorted()).toEqual([...discardReasons].toSorted())
})

test('a part of a run is what it was in the whole', () => {
  const upTo = (from: number, count: number) => fuzz({ seed: 2, from, count })
  const [whole, first, rest] = [upTo(0, 12_000), upTo(0, 11_000), upTo(11_000, 1_000)]
  expect(first.admitted + rest.admitted).toBe(whole.admitted)
  expect(rest.packets).toBe(1_000)
})
