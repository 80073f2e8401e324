/** Wrangler as a child process that talks to nobody: not to count its users, and not to look for news of itself. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export const projectRoot = join(import.meta.dirname, '../..')

/** What keeps wrangler, and the runtime that it starts, from talking to the internet. */
export const offline = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_WRITE_LOGS: 'false',
}

export function startWrangler(args: readonly string[], stdio: 'inherit' | 'pipe'): ChildProcess {
  // By its file, so that it runs on this very Node, whatever else the machine has.
  const program = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js')
  return spawn(process.execPath, [program, ...args], { cwd: projectRoot, env: { ...process.env, ...offline }, stdio })
}
