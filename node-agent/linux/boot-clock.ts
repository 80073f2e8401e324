/**
 * Milliseconds since the machine started, with the time that it was suspended: what leases count by.
 *
 * Node's own monotonic clocks stand still during a suspension. This is what `os.uptime` reads on Linux: hundredths of a
 * second, which is fine enough for seconds, and no system call of our own in a process that otherwise makes none.
 */
import { uptime } from 'node:os'

export function sinceBoot(): number {
  return uptime() * 1_000
}
