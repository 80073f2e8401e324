/** What the process itself costs, under the names that every Prometheus client uses. */
import { readdirSync } from 'node:fs'
import { gaugeText } from '../seeing/exposition.ts'

export function processText(): string {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const series = [
    value('process_cpu_seconds_total', 'Processor time used.', (user + system) / 1e6, 'counter'),
    value('process_resident_memory_bytes', 'Resident memory.', rss),
    value('process_heap_bytes', 'Memory in use for JavaScript objects.', heapUsed),
    value('process_start_time_seconds', 'When the process started.', performance.timeOrigin / 1_000),
  ]
  const files = openFiles()
  if (files !== undefined) series.push(value('process_open_fds', 'Open files and sockets.', files))
  return series.join('')
}

function value(name: string, help: string, now: number, type: 'gauge' | 'counter' = 'gauge'): string {
  return gaugeText({ name, help }, now, type)
}

/** Undefined where the system does not say. */
function openFiles(): number | undefined {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : undefined
}

const lookEveryMs = 500

/** Measures how late timers fire, until it is stopped. */
export function watchEventLoop(late: (lagMs: number) => void): { stop(): void } {
  let due = performance.now() + lookEveryMs
  const timer = setInterval(() => {
    const now = performance.now()
    late(Math.max(0, now - due))
    due = now + lookEveryMs
  }, lookEveryMs).unref()
  return { stop: () => clearInterval(timer) }
}
