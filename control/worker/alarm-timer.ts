/**
 * Timers of an object that may be put to sleep, or be gone, before they are due.
 *
 *   due soon    a timeout, exact, and an alarm a little later in case the object is gone by then
 *   due later   the alarm alone, because an object with a timeout cannot sleep
 *
 * There is one alarm: the earliest that is needed. It is moved forward when something is due before it, and left alone
 * when that turns out not to be needed: an alarm too many costs one event, moving it each time would cost a write each.
 */

import type { Clock, Log, Timer } from '../core/ports.ts'
import { messageOf } from '../message-of.ts'

export type AlarmTimer = Timer & {
  /** The alarm has gone off: does what is due. Never throws. */
  ring(): void
}

export type AlarmTimerInput = {
  readonly storage: Pick<DurableObjectStorage, 'setAlarm'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
  /** For when an alarm of a former self is set; null for none. */
  readonly armedFor: number | null
}

/** Up to how far ahead a timeout is used, in milliseconds. */
const soonMs = 10_000
/** How long after a timeout was due its alarm comes, in milliseconds. */
const spareMs = 1_000

type Entry = { readonly at: number; readonly work: () => void; timeout?: ReturnType<typeof setTimeout> }

export function createAlarmTimer({ storage, clock, log, armedFor }: AlarmTimerInput): AlarmTimer {
  const entries = new Set<Entry>()
  let armed = armedFor
  /** The alarm that woke the object is about to ring. Setting another would take its place. */
  let rings = armedFor !== null && armedFor <= clock.now()

  const fire = (entry: Entry): void => {
    if (!entries.delete(entry)) return
    clearTimeout(entry.timeout)
    try {
      entry.work()
    } catch (error) {
      log('error', { event: 'timer-failed', message: messageOf(error) })
    }
  }
  const arm = (): void => {
    if (rings) return
    const now = clock.now()
    const wanted = [...entries].map(({ at, timeout }) => (timeout === undefined ? at : at + spareMs))
    if (wanted.length === 0) return
    const first = Math.max(now, Math.ceil(Math.min(...wanted)))
    if (armed !== null && armed > now && armed <= first) return
    armed = first
    storage.setAlarm(first).catch((error: unknown) => {
      armed = null
      log('error', { event: 'alarm-not-set', message: messageOf(error) })
    })
  }
  return {
    at: (ms, work) => {
      const entry: Entry = { at: ms, work }
      const inMs = ms - clock.now()
      if (inMs <= soonMs) entry.timeout = setTimeout(() => fire(entry), Math.max(0, Math.ceil(inMs)))
      entries.add(entry)
      arm()
      return () => {
        clearTimeout(entry.timeout)
        entries.delete(entry)
      }
    },
    ring: () => {
      armed = null
      rings = false
      const now = clock.now()
      const due = [...entries].filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at)
      for (const entry of due) fire(entry)
      arm()
    },
  }
}
