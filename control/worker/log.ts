/** Logs on Workers: one JSON object a line, which Workers Logs and `wrangler tail` take apart by themselves. */
import type { Log } from '../ports.ts'

export function createLog(fields: Readonly<Record<string, string>> = {}): Log {
  return (level, entry) =>
    console[level](JSON.stringify({ level, time: new Date().toISOString(), ...fields, ...entry }))
}
