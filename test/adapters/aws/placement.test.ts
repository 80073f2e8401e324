/** Several parts as one observation, and several writes as one outcome. */
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../../adapters/adapter.ts'
import { canonicalAddress, canonicalNetwork } from '../../../adapters/aws/networks.ts'
import { observationOf, outcomeOf, placementOf } from '../../../adapters/aws/placement.ts'

const targets = { n1: { networkInterfaceId: 'eni-1' }, n2: { networkInterfaceId: 'eni-2' } }

describe('an observation', () => {
  test.each([
    [
      { a: 'eni-1', b: 'eni-1' },
      { kind: 'node', node: 'n1' },
    ],
    [{ a: null, b: null }, { kind: 'none' }],
    [
      { a: 'eni-9', b: 'eni-9' },
      { kind: 'foreign', what: 'a, b at eni-9' },
    ],
    [
      { a: 'eni-1', b: null, c: 'eni-1' },
      { kind: 'foreign', what: 'a, c at eni-1 (n1); b at nothing' },
    ],
    [
      { a: 'eni-1', b: 'eni-2' },
      { kind: 'foreign', what: 'a at eni-1 (n1); b at eni-2 (n2)' },
    ],
  ])('of %o is %o, and its token says it again', (placement, expected) => {
    const seen = observationOf(placement, targets, {})
    expect(seen).toMatchObject(expected)
    expect(seen.kind !== 'unknown' && placementOf(seen.token)).toEqual(placement)
  })

  test.each([null, 'eipassoc-1', '[1]', '{"a":1}'])('knows nothing by the token %s of somebody else', (token) => {
    expect(placementOf(token)).toEqual({})
  })
})

describe('an outcome', () => {
  const done: Outcome = { kind: 'done' }
  const failure = (kind: 'conflict' | 'retry' | 'permanent' | 'unknown'): Outcome => {
    return { kind, code: `code of ${kind}`, message: `words of ${kind}` }
  }
  const throttled = (afterMs: number): Outcome => ({ kind: 'throttled', code: 'Throttled', message: 'wait', afterMs })
  const of = (...outcomes: Outcome[]) => outcomeOf(outcomes.map((outcome, i) => ({ part: `p${i}`, outcome })))

  test('is done when all are', () => {
    expect(of(done, done)).toEqual(done)
  })

  test('is the failure itself when there is one part only', () => {
    expect(of(failure('retry'))).toEqual(failure('retry'))
  })

  test.each([
    [[failure('permanent'), failure('conflict')], 'conflict'],
    [[failure('permanent'), failure('retry'), failure('conflict')], 'retry'],
    [[failure('retry'), throttled(1), done], 'throttled'],
    [[throttled(1), failure('unknown')], 'unknown'],
    [[failure('permanent'), done], 'permanent'],
  ] as const)('of %o is %s', (outcomes, kind) => {
    expect(of(...outcomes)).toMatchObject({ kind })
  })

  test('waits for the longest, and says what each part failed at', () => {
    expect(of(throttled(10), done, throttled(3_000))).toEqual({
      kind: 'throttled',
      code: 'Throttled',
      message: '2 of 3 failed: p0, p2: Throttled: wait',
      afterMs: 3_000,
    })
  })

  test('does not give every reason of very many', () => {
    const all = Array.from({ length: 6 }, (_, i): Outcome => ({ kind: 'retry', code: `C${i}`, message: 'no' }))
    expect(of(...all)).toMatchObject({
      message: '6 of 6 failed: p0: C0: no; p1: C1: no; p2: C2: no; p3: C3: no; and more',
    })
  })
})

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8::0.0.0.1', '2001:db8::1'],
])('the one spelling of %s is %s', (address, canonical) => {
  expect(canonicalAddress(address)).toBe(canonical)
})

test.each([
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['10.0.0.1/32', '10.0.0.1/32'],
  ['10.0.0.1/31', null],
  ['2001:DB8::/32', '2001:db8::/32'],
  ['2001:db8:1::/32', null],
  ['::/0', '::/0'],
  ['::1/128', '::1/128'],
  ['fe80::/10', 'fe80::/10'],
  ['1::8:0:0/96', '1::8:0:0/96'],
  ['1::8:0:0/80', null],
])('the network %s is %s', (network, canonical) => {
  expect(canonicalNetwork(network)).toBe(canonical)
})
