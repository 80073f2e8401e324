/** Logs on Workers: one JSON object a line, which Workers Logs and `wrangler tail` take apart by themselves. */
import type { Log } from '../core/ports.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const

/** `fields` go into every line. What is below `least` is left out; an unknown word means the usual `info`. */
export function createLog(fields: Readonly<Record<string, string>> = {}, least: unknown = 'info'): Log {
  const from = Math.max(0, levels.indexOf(levels.find((level) => level === least) ?? 'info'))
  return (level, entry) => {
    if (levels.indexOf(level) < from) return
    console[level](JSON.stringify({ level, time: new Date().toISOString(), ...fields, ...entry }))
  }
}
