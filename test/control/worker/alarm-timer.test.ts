/** Timers that outlive the object: what is done by a timeout, what by the alarm, and what the alarm is set for. */
import { expect, test } from 'vitest'
import type { LogEntry } from '../../../control/core/ports.ts'
import { createAlarmTimer } from '../../../control/worker/alarm-timer.ts'
import { eventually } from '../../support/eventually.ts'

function world(armedFor: number | null = null) {
  const set: number[] = []
  const done: string[] = []
  const logged: LogEntry[] = []
  const time = { now: 1_000_000 }
  const storage = { setAlarm: async (at: number | Date) => void set.push(Number(at)) }
  const log = (_: string, entry: LogEntry) => void logged.push(entry)
  const timer = createAlarmTimer({ storage, clock: { now: () => time.now }, log, armedFor })
  const at = (inMs: number, what: string) => timer.at(time.now + inMs, () => done.push(what))
  return { time, set, done, logged, timer, at }
}

test('what is due soon is done without the alarm, which comes a second later for whoever is gone by then', async () => {
  const it = world()
  it.at(20, 'soon')
  expect(it.set).toEqual([1_001_020])
  await eventually(
    () => it.done,
    (done) => expect(done).toEqual(['soon']),
  )
})

test('what is due later is done by the alarm alone', () => {
  const it = world()
  it.at(60_000, 'later')
  it.at(120_000, 'much later')
  expect(it.set).toEqual([1_060_000])
  it.time.now += 60_000
  it.timer.ring()
  expect(it.done).toEqual(['later'])
  expect(it.set).toEqual([1_060_000, 1_120_000])
})

test('the alarm is moved forward, and left where it is when that was not needed', () => {
  const it = world()
  it.at(60_000, 'a')
  const cancel = it.at(30_000, 'b')
  cancel()
  it.at(90_000, 'c')
  expect(it.set).toEqual([1_060_000, 1_030_000])
  it.time.now += 30_000
  it.timer.ring()
  expect(it.done).toEqual([])
  expect(it.set.at(-1)).toBe(1_060_000)
})

test('the alarm of a former self is kept when it is early enough, and moved when it is not', () => {
  const kept = world(1_050_000)
  kept.at(60_000, 'a')
  expect(kept.set).toEqual([])
  const moved = world(1_090_000)
  moved.at(60_000, 'a')
  expect(moved.set).toEqual([1_060_000])
})

test('the alarm that woke the object is not taken away from it before it rings', () => {
  const it = world(999_000)
  it.at(60_000, 'a')
  expect(it.set).toEqual([])
  it.timer.ring()
  expect(it.set).toEqual([1_060_000])
})

test('work that throws is said, and takes nothing else with it', () => {
  const it = world()
  it.timer.at(it.time.now + 20_000, () => {
    throw new Error('no')
  })
  it.at(20_000, 'next')
  it.time.now += 20_000
  it.timer.ring()
  expect(it.done).toEqual(['next'])
  expect(it.logged).toEqual([{ event: 'timer-failed', message: 'no' }])
})
