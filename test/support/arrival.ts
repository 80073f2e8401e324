/**
 * When a packet reached this machine's kernel, and not when a busy reader came round to it.
 *
 * The kernel stamps what a socket takes in by the wall clock; what lies between that and now is taken from the lab's
 * clock, so that a step of the wall clock spoils no more than the packets that wait meanwhile.
 */
import koffi from 'koffi'
import { nowMs } from '../../infra/lab/clock.ts'

const libc = koffi.load('libc.so.6')
const ioctl = libc.func('int ioctl(int, ulong, void *)')
const clockGettime = libc.func('int clock_gettime(int, void *)')

const SIOCGSTAMPNS = 0x8907
const CLOCK_REALTIME = 0

/** From now on the kernel stamps what comes to the socket. */
export function stampArrivals(fd: number): void {
  // Refused, for there is no packet yet; it is the asking that turns the stamps on.
  ioctl(fd, SIOCGSTAMPNS, stamp)
}

/** When the packet that was just read from the socket came, in milliseconds of the lab's clock. */
export function arrivedAt(fd: number): number {
  const stamped = ioctl(fd, SIOCGSTAMPNS, stamp) === 0
  clockGettime(CLOCK_REALTIME, wall)
  const agoMs = millisecondsOf(wall) - millisecondsOf(stamp)
  return nowMs() - (stamped ? Math.max(0, agoMs) : 0)
}

/** Two of `struct timespec`. */
const [stamp, wall] = [Buffer.alloc(16), Buffer.alloc(16)]

function millisecondsOf(timespec: Buffer): number {
  return timespec.readUInt32LE(0) * 1e3 + timespec.readUInt32LE(8) / 1e6
}
