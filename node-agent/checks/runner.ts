/**
 * Makes the probes of all checks, each on its own clock, and tells when a verdict changes.
 *
 * It runs in the supervisor: whatever a check does or how long it takes, the VRRP process and the LAN do not notice.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Check, Probe } from './check.ts'
import { probeExec } from './exec.ts'
import { type Health, observe, unknownHealth } from './health.ts'
import { probeHttp } from './http.ts'
import { probeInterface } from './interface.ts'
import { probeTcp } from './tcp.ts'

export type Runner = {
  readonly healthOf: (check: string) => Health
  /** The checks there are now; one that is the same goes on with its verdict and its clock. */
  readonly reconfigure: (checks: Checks) => void
  /** No probe starts any more; those under way are ended. */
  readonly stop: () => void
}

type Checks = Readonly<Record<string, Check>>

type Running = { readonly check: Check; health: Health; readonly stopping: AbortController }

export function runChecks(checks: Checks, onVerdict: (check: string, health: Health) => void): Runner {
  const running = new Map<string, Running>()

  const start = (name: string, check: Check, health: Health): void => {
    const one: Running = { check, health, stopping: new AbortController() }
    running.set(name, one)
    const heard = (why: string | null): void => {
      const before = one.health
      one.health = observe(before, check, why)
      if (one.health.verdict !== before.verdict) onVerdict(name, one.health)
    }
    void repeat(check, heard, one.stopping.signal)
  }

  const reconfigure = (next: Checks): void => {
    for (const [name, { stopping }] of running) {
      if (Object.hasOwn(next, name)) continue
      stopping.abort()
      running.delete(name)
    }
    for (const [name, check] of Object.entries(next)) {
      const former = running.get(name)
      if (former !== undefined && isDeepStrictEqual(former.check, check)) continue
      former?.stopping.abort()
      // A changed check keeps its verdict until its own probes speak against it: to know nothing would move services.
      start(name, check, { ...(former?.health ?? unknownHealth), streak: 0 })
    }
  }

  reconfigure(checks)
  return {
    healthOf: (check) => running.get(check)?.health ?? unknownHealth,
    reconfigure,
    stop() {
      for (const { stopping } of running.values()) stopping.abort()
    },
  }
}

async function repeat(check: Check, heard: (why: string | null) => void, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const startedAt = performance.now()
    const why = await probeOnce(check, stop)
    if (stop.aborted) return
    heard(why)
    await pause(check.intervalMs - (performance.now() - startedAt), stop)
  }
}

/** What was wrong; null when nothing was. */
async function probeOnce({ probe, timeoutMs }: Check, stop: AbortSignal): Promise<string | null> {
  const ending = new AbortController()
  const end = (): void => ending.abort()
  let late = false
  const timer = setTimeout(() => {
    late = true
    end()
  }, timeoutMs)
  stop.addEventListener('abort', end)
  const why = await perform(probe, ending.signal)
  clearTimeout(timer)
  stop.removeEventListener('abort', end)
  return late && why !== null ? `no answer within ${timeoutMs} ms` : why
}

function perform(probe: Probe, signal: AbortSignal): Promise<string | null> {
  switch (probe.kind) {
    case 'http':
      return probeHttp(probe, signal)
    case 'tcp':
      return probeTcp(probe, signal)
    case 'interface':
      return probeInterface(probe)
    case 'exec':
      return probeExec(probe, signal)
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer)
      stop.removeEventListener('abort', over)
      resolve()
    }
    const timer = setTimeout(over, Math.max(0, ms))
    stop.addEventListener('abort', over)
  })
}
