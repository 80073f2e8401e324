/**
 * What control tells of itself from inside a Durable Object.
 *
 * Nothing of it is worth an alarm: no timer of it wakes the object, and none keeps it awake for long. Counters are the
 * present object's, and begin anew with it. A trace is on its way as soon as its move has ended, when the object is
 * awake anyway; a collector that does not answer is asked again for some seconds, and then with the next move.
 */
import program from '../../package.json' with { type: 'json' }
import type { ClusterConfig } from '../config/config.ts'
import type { Clock, ClusterPorts, Timer } from '../core/ports.ts'
import { createSeeing, type Seeing } from '../seeing/seeing.ts'

export type WorkerSeeingInput = {
  readonly context: Pick<DurableObjectState, 'waitUntil'>
  readonly config: Pick<ClusterConfig, 'trace'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'aliveAt' | 'log'>
}

export function seeingIn({ context, config, ports }: WorkerSeeingInput): Seeing {
  const { version } = program as { version: string }
  return createSeeing({
    config,
    version,
    ports: { ...ports, timer: briefTimer(ports.clock) },
    fetch: (url, init) => {
      const answer = fetch(url, init)
      context.waitUntil(answer.catch(() => undefined))
      return answer
    },
  })
}

/** The longest that is waited for, in milliseconds: an object with a timeout cannot sleep. */
const longestMs = 10_000

/** Timeouts alone. What is due later than that is not waited for, and never comes. */
export function briefTimer(clock: Pick<Clock, 'now'>): Timer {
  return {
    at: (ms, work) => {
      const inMs = Math.max(0, Math.ceil(ms - clock.now()))
      if (inMs > longestMs) return () => undefined
      const timeout = setTimeout(work, inMs)
      return () => clearTimeout(timeout)
    },
  }
}
