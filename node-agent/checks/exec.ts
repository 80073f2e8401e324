/** A probe by a program: exit code 0 is good. It is killed with all it started when its time is over. */
import { spawn } from 'node:child_process'
import { type Probe, reasonOf } from './check.ts'

/** Nothing of the agent's own environment, which holds its token. */
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' }

export function probeExec({ command }: Probe & { kind: 'exec' }, signal: AbortSignal): Promise<string | null> {
  const [program, ...args] = command
  return new Promise((resolve) => {
    const child = spawn(program!, args, { stdio: 'ignore', env: environment, detached: true })
    const kill = (): void => {
      // What hangs in the kernel ends later, or never; nobody waits for it.
      resolve('killed')
      try {
        // Its process group, since `detached` made it the leader of one.
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has just ended by itself.
      }
    }
    signal.addEventListener('abort', kill, { once: true })
    child.on('error', (error) => resolve(reasonOf(error)))
    child.on('exit', (code, how) => {
      signal.removeEventListener('abort', kill)
      resolve(code === 0 ? null : how === null ? `exit code ${code}` : `ended by ${how}`)
    })
  })
}
