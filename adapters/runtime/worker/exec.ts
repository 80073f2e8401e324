/** A Cloudflare Worker runs no programs, and says so. */
import type { Ended, Run } from '../program.ts'

const why = 'a Worker runs no programs: use the webhook adapter, or run control on a machine'

export async function run(_run: Run, _signal: AbortSignal): Promise<Ended> {
  return { kind: 'not-started', retry: false, code: 'NotHere', why }
}

export async function whyNotRunnable(_path: string): Promise<string | null> {
  return why
}

export function environment(): Readonly<Record<string, string | undefined>> {
  return {}
}
