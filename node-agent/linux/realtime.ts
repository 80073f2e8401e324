/**
 * Keeps the process on time on a busy machine: real-time scheduling, and memory that is never paged out.
 *
 * No RLIMIT_RTTIME is set: it would kill the process under exactly the load that it must survive.
 */
import { lockMemory, SystemError, scheduleRealtime } from './libc.ts'

/** Above ordinary work, below the kernel's own threads (which run at 99). */
const priority = 50

/** What was refused, a sentence each with the remedy. Empty when all was granted. */
export function goRealtime(): string[] {
  return [
    attempt(
      () => scheduleRealtime(priority),
      'no real-time scheduling',
      'grant CAP_SYS_NICE (systemd: AmbientCapabilities=CAP_SYS_NICE)',
    ),
    attempt(
      lockMemory,
      'memory is not locked',
      'grant CAP_IPC_LOCK (systemd: AmbientCapabilities=CAP_IPC_LOCK, LimitMEMLOCK=infinity)',
    ),
  ].flat()
}

function attempt(call: () => void, consequence: string, remedy: string): string[] {
  try {
    call()
    return []
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    return [
      `${consequence} (${error.message}): timers may be late on a busy machine; ${remedy}, or set realtime: false`,
    ]
  }
}
