/**
 * Makes the probes of all checks, each on its own clock, and tells when a verdict changes.
 *
 * It runs in the supervisor: whatever a check does or how long it takes, the VRRP process and the LAN do not notice.
 */
import type { Check, Probe } from './check.ts'
import { probeExec } from './exec.ts'
import { type Health, observe, unknownHealth } from './health.ts'
import { probeHttp } from './http.ts'
import { probeInterface } from './interface.ts'
import { probeTcp } from './tcp.ts'

export type Runner = {
  readonly healthOf: (check: string) => Health
  /** No probe starts any more; those under way are ended. */
  readonly stop: () => void
}

export function runChecks(
  checks: Readonly<Record<string, Check>>,
  onVerdict: (check: string, health: Health) => void,
): Runner {
  const healths = new Map<string, Health>()
  const stopping = new AbortController()
  for (const [name, check] of Object.entries(checks)) {
    const heard = (why: string | null): void => {
      const before = healths.get(name) ?? unknownHealth
      const health = observe(before, check, why)
      healths.set(name, health)
      if (health.verdict !== before.verdict) onVerdict(name, health)
    }
    void repeat(check, heard, stopping.signal)
  }
  return { healthOf: (check) => healths.get(check) ?? unknownHealth, stop: () => stopping.abort() }
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
