import { expect, test } from 'vitest'
import { createSleepWatch } from '../../node-agent/sleep-watch.ts'
import type { Instant } from '../../node-agent/vrrp/time.ts'

const us = (ms: number) => (ms * 1_000) as Instant

test('a suspension is what the boot clock has counted and the monotonic clock has not, told once', () => {
  const watch = createSleepWatch()
  expect(watch.look(100_000, us(500))).toBeUndefined()
  expect(watch.look(101_000, us(1_500))).toBeUndefined()
  expect(watch.look(106_500, us(2_000))).toEqual({ kind: 'slept', for: us(5_000) })
  expect(watch.look(107_510, us(3_008))).toBeUndefined()
})

test('a clock that is read in hundredths never looks like sleep, however often it is read', () => {
  const watch = createSleepWatch()
  for (let ms = 0; ms < 5_000; ms += 1.7) {
    expect(watch.look(Math.floor(ms / 10) * 10 + 40, us(ms))).toBeUndefined()
  }
})

test('a process that was frozen has not slept: both clocks went on', () => {
  const watch = createSleepWatch()
  watch.look(1_000, us(1_000))
  expect(watch.look(61_000, us(61_000))).toBeUndefined()
})
