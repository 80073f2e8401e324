/**
 * Keeps the process on time on a busy machine: real-time scheduling, and code that is never paged out.
 *
 * No RLIMIT_RTTIME is set: it would kill the process under exactly the load that it must survive. And no mlockall():
 * V8 gives pages back with madvise(MADV_DONTNEED), which Linux refuses for locked memory, and V8 then aborts the
 * process in the middle of a collection. So the program, its libraries and stacks are locked, and not the heap, which
 * only swap could take (the systemd unit forbids it with MemorySwapMax=0).
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { lockRange, SystemError, scheduleOrdinary, scheduleRealtime } from './libc.ts'

/** Above ordinary work, below the kernel's own threads (which run at 99). */
const priority = 50
const helperPriority = 1

/** What was refused, a sentence each with the remedy. Empty when all was granted. */
export function goRealtime(): string[] {
  return [
    attempt(
      scheduleThreads,
      'no real-time scheduling',
      'grant CAP_SYS_NICE (systemd: AmbientCapabilities=CAP_SYS_NICE)',
    ),
    attempt(
      lockCode,
      'memory is not locked',
      'grant CAP_IPC_LOCK (systemd: AmbientCapabilities=CAP_IPC_LOCK, LimitMEMLOCK=infinity)',
    ),
  ].flat()
}

/**
 * For a process that has nothing left to do but to end: V8 waits for its helpers then, and spins while it does. Above
 * them, with every processor taken so, it would wait for those whom it keeps from running.
 */
export function endRealtime(): void {
  const thisThread = 0
  try {
    scheduleOrdinary(thisThread)
  } catch (error) {
    // It never was real-time, or is not let go: it ends all the same, only later.
    if (!(error instanceof SystemError)) throw error
  }
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

/**
 * V8's helpers too, but as low as real-time goes: a collection must not wait for a thread that a busy machine does not
 * run, and a compilation must not hold up anybody else's real-time work.
 */
function scheduleThreads(): void {
  const thisThread = 0
  scheduleRealtime(thisThread, priority)
  // Where /proc is another pid namespace's, its numbers are not ours to use.
  if (readlinkSync('/proc/self') !== String(process.pid)) return
  for (const thread of readdirSync('/proc/self/task')) {
    if (Number(thread) !== process.pid) scheduleRealtime(Number(thread), helperPriority)
  }
}

/** Locks every mapping that has a name in /proc/self/maps: files, the C heap and stacks. V8's own memory has none. */
function lockCode(): void {
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const mapping = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ +(\/|\[heap\]|\[stack\])/.exec(line)
    if (mapping === null || !mapping[3]!.startsWith('r')) continue
    const start = BigInt(`0x${mapping[1]}`)
    lockRange(start, BigInt(`0x${mapping[2]}`) - start)
  }
}
