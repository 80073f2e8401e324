/** What a process uses, as this machine's kernel counts it; and busy loops, to see who bears them. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Lab } from '../../infra/lab/topology.ts'

/**
 * That every thread of the process has run since it began: the same total as utime and stime of /proc/PID/stat, whose
 * hundredths of a second are too coarse for one advertisement a second.
 */
export function cpuNanoseconds(pid: number): number {
  const folder = `/proc/${pid}/task`
  const threads = readdirSync(folder).map((thread) => readFileSync(`${folder}/${thread}/schedstat`, 'utf8'))
  return threads.reduce((total, text) => total + Number(text.split(' ')[0]), 0)
}

/** Mebibytes in memory: `pss` counts a page that several processes share in parts. */
export function memoryOf(pid: number): { readonly pss: number; readonly rss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const of = (word: string): number => Number(new RegExp(`^${word}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
  return { pss: of('Pss'), rss: of('Rss') }
}

/** Busy loops of ordinary priority, as somebody else's runaway programs. They end with the lab. */
export async function startHogs(lab: Lab, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await lab.spawn('sh', ['-c', 'while :; do :; done'])
}
