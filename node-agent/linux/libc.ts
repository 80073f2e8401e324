/**
 * The system calls Holdfast makes on Linux, and nothing more: the only file that imports koffi.
 *
 * Structures are passed as bytes, laid out by the callers that know them. A call that fails throws a
 * `SystemError`; the few that callers poll (`recv`, `send` on a full queue) return `undefined` instead.
 */
import koffi from 'koffi'
import { errno } from './constants.ts'

const libc = koffi.load('libc.so.6')

/** `struct sock_fprog`: a filter of classic BPF, with its length in instructions. */
koffi.struct('sock_fprog', { len: 'uint16', filter: 'const void *' })

const c = {
  socket: libc.func('int socket(int, int, int)'),
  bind: libc.func('int bind(int, const void *, uint)'),
  setsockopt: libc.func('int setsockopt(int, int, int, const void *, uint)'),
  setsockopt_filter: libc.func('setsockopt', 'int', ['int', 'int', 'int', 'const sock_fprog *', 'uint']),
  sendto: libc.func('long sendto(int, const void *, ulong, int, const void *, uint)'),
  recv: libc.func('long recv(int, void *, ulong, int)'),
  sendmmsg: libc.func('int sendmmsg(int, void *, uint, int)'),
  recvmmsg: libc.func('int recvmmsg(int, void *, uint, int, void *)'),
  read: libc.func('long read(int, void *, ulong)'),
  write: libc.func('long write(int, const void *, ulong)'),
  close: libc.func('int close(int)'),
  fcntl: libc.func('int fcntl(int, int, int)'),
  ppoll: libc.func('int ppoll(void *, ulong, const void *, const void *)'),
  if_nametoindex: libc.func('uint if_nametoindex(const char *)'),
  sched_setscheduler: libc.func('int sched_setscheduler(int, int, const void *)'),
  mlock2: libc.func('int mlock2(uintptr_t, ulong, uint)'),
  signal: libc.func('void *signal(int, long)'),
  clock_gettime: libc.func('int clock_gettime(int, void *)'),
  strerror: libc.func('const char *strerror(int)'),
}

/** A system call that failed. `code` is the symbolic errno (`EPERM`), or `E<number>` where it has no name here. */
export class SystemError extends Error {
  override name = 'SystemError' as const
  readonly operation: string
  readonly errno: number
  readonly code: string

  constructor(operation: string, number: number) {
    super(`${operation}: ${c.strerror(number)}`)
    this.operation = operation
    this.errno = number
    this.code = Object.entries(errno).find(([, value]) => value === number)?.[0] ?? `E${number}`
  }
}

function checked(operation: string, result: number): number {
  if (result < 0) throw new SystemError(operation, koffi.errno())
  return result
}

export function socket(domain: number, type: number, protocol: number): number {
  return checked('socket', c.socket(domain, type, protocol))
}

export function bind(fd: number, address: Uint8Array): void {
  checked('bind', c.bind(fd, address, address.length))
}

/** `what` names the option in the error, since "setsockopt: Operation not permitted" helps nobody. */
export function setsockopt(fd: number, option: { level: number; name: number; what: string }, value: Uint8Array): void {
  checked(option.what, c.setsockopt(fd, option.level, option.name, value, value.length))
}

/** Lets a socket hear only what `program`, instructions of classic BPF (`struct sock_filter[]`), says. */
export function attachFilter(fd: number, program: Buffer): void {
  const [SOL_SOCKET, SO_ATTACH_FILTER, fprogSize, instructionSize] = [1, 26, 16, 8]
  const fprog = { len: program.length / instructionSize, filter: program }
  checked('attach a filter', c.setsockopt_filter(fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog, fprogSize))
}

/** Where the octets of a buffer are. Only of one that is larger than what V8 keeps on its heap, where things move. */
export function addressOf(buffer: Buffer): number {
  return Number(koffi.address(buffer))
}

const MSG_DONTWAIT = 0x40

/** Sends one datagram. False when the interface's queue is full or the link has just gone: the next one will follow. */
export function sendto(fd: number, datagram: Uint8Array, address: Uint8Array): boolean {
  if (c.sendto(fd, datagram, datagram.length, 0, address, address.length) >= 0) return true
  const number = koffi.errno()
  if (transientSendErrors.has(number)) return false
  throw new SystemError('sendto', number)
}

/**
 * Sends `count` messages of a `struct mmsghdr[]`, in order, without waiting for room in a queue; how many did not
 * leave. The kernel stops at one that it refuses: that one is lost, and the others follow.
 */
export function sendmmsg(fd: number, headers: Buffer, count: number): number {
  let lost = 0
  for (let at = 0; at < count; ) {
    const rest = at === 0 ? headers : headers.subarray(at * mmsghdrSize)
    const sent = c.sendmmsg(fd, rest, count - at, MSG_DONTWAIT)
    if (sent >= 0) {
      at += sent
      continue
    }
    const number = koffi.errno()
    if (number === errno.EINTR) continue
    if (!transientSendErrors.has(number)) throw new SystemError('sendmmsg', number)
    at += 1
    lost += 1
  }
  return lost
}

export const mmsghdrSize = 64

/** Fills up to `count` messages of a `struct mmsghdr[]` with what is queued now; how many. */
export function recvmmsg(fd: number, headers: Buffer, count: number): number {
  const received = c.recvmmsg(fd, headers, count, MSG_DONTWAIT, null)
  if (received >= 0) return received
  const number = koffi.errno()
  if (isNothingReceived(number)) return 0
  throw new SystemError('recvmmsg', number)
}

/** ENETDOWN is news of a link, which rtnetlink tells too; the socket goes on. */
function isNothingReceived(number: number): boolean {
  return number === errno.EAGAIN || number === errno.EINTR || number === errno.ENETDOWN
}

/** Of one datagram, or for a while: EPERM is a firewall's word, EMSGSIZE that of a smaller MTU. */
const transientSendErrors: ReadonlySet<number> = new Set([
  errno.EPERM,
  errno.EACCES,
  errno.ENOMEM,
  errno.EMSGSIZE,
  errno.EAGAIN,
  errno.ENOBUFS,
  errno.ENETDOWN,
  errno.ENETUNREACH,
  errno.ENODEV,
  errno.ENXIO,
  errno.EHOSTUNREACH,
  errno.EADDRNOTAVAIL,
])

/** Receives without blocking into `buffer`; its length, or undefined when nothing is queued. */
export function receive(fd: number, buffer: Uint8Array): number | undefined {
  const length = Number(c.recv(fd, buffer, buffer.length, MSG_DONTWAIT))
  if (length >= 0) return length
  const number = koffi.errno()
  if (isNothingReceived(number)) return undefined
  throw new SystemError('recv', number)
}

/** Reads a pipe or eventfd without blocking (the descriptor must be non-blocking). 0 at its end, undefined when empty. */
export function read(fd: number, buffer: Uint8Array): number | undefined {
  const length = Number(c.read(fd, buffer, buffer.length))
  if (length >= 0) return length
  const number = koffi.errno()
  if (number === errno.EAGAIN || number === errno.EINTR) return undefined
  throw new SystemError('read', number)
}

/** Writes as much as fits now; how much that was. To a pipe whose reader is gone everything fits. */
export function write(fd: number, bytes: Uint8Array): number {
  const length = Number(c.write(fd, bytes, bytes.length))
  if (length >= 0) return length
  const number = koffi.errno()
  if (number === errno.EAGAIN || number === errno.EINTR) return 0
  if (number === errno.EPIPE) return bytes.length
  throw new SystemError('write', number)
}

export function close(fd: number): void {
  c.close(fd)
}

export function setNonBlocking(fd: number): void {
  const F_GETFL = 3
  const F_SETFL = 4
  const O_NONBLOCK = 0x800
  const flags = checked('fcntl', c.fcntl(fd, F_GETFL, 0))
  checked('fcntl', c.fcntl(fd, F_SETFL, flags | O_NONBLOCK))
}

/**
 * Waits until a descriptor of `pollSet` is readable or `timeoutUs` microseconds have passed (undefined: for ever).
 * Returns how many are ready. `pollSet` is an array of `struct pollfd`, see `pollSetOf`.
 */
export function ppoll(pollSet: Buffer, timeoutUs: number | undefined): number {
  let timespec: Buffer | null = null
  if (timeoutUs !== undefined) {
    const wait = Math.max(0, timeoutUs)
    timespec = pollTimespec
    timespec.writeBigInt64LE(BigInt(Math.floor(wait / 1e6)), 0)
    timespec.writeBigInt64LE(BigInt(Math.floor((wait % 1e6) * 1000)), 8)
  }
  const ready = c.ppoll(pollSet, pollSet.length / pollfdSize, timespec, null)
  if (ready >= 0) return ready
  const number = koffi.errno()
  if (number === errno.EINTR) return 0
  throw new SystemError('ppoll', number)
}

const pollTimespec = Buffer.alloc(16)
const pollfdSize = 8

const POLLIN = 1
const POLLOUT = 4

/** `struct pollfd[]` that waits for input on each descriptor. */
export function pollSetOf(fds: readonly number[]): Buffer {
  const set = Buffer.alloc(fds.length * pollfdSize)
  for (const [i, fd] of fds.entries()) {
    set.writeInt32LE(fd, i * pollfdSize)
    set.writeInt16LE(POLLIN, i * pollfdSize + 4)
  }
  return set
}

/** Whether the nth descriptor is waited for until there is room for output too. */
export function waitForRoom(pollSet: Buffer, nth: number, wanted: boolean): void {
  pollSet.writeInt16LE(wanted ? POLLIN | POLLOUT : POLLIN, nth * pollfdSize + 4)
}

/** Whether the last `ppoll` found something on the nth descriptor: input, room, an error or its end. */
export function isReady(pollSet: Buffer, nth: number): boolean {
  return pollSet.readUInt16LE(nth * pollfdSize + 6) !== 0
}

/** The kernel's index of an interface, or undefined when there is none of that name. */
export function interfaceIndex(name: string): number | undefined {
  return c.if_nametoindex(name) || undefined
}

/** Puts a thread (and the threads it makes from now on) on SCHED_FIFO at `priority` (1..99). */
export function scheduleRealtime(thread: number, priority: number): void {
  const SCHED_FIFO = 1
  schedule(thread, SCHED_FIFO, priority)
}

/** Puts a thread back among ordinary ones. */
export function scheduleOrdinary(thread: number): void {
  const SCHED_OTHER = 0
  schedule(thread, SCHED_OTHER, 0)
}

function schedule(thread: number, policy: number, priority: number): void {
  const parameter = Buffer.alloc(4)
  parameter.writeInt32LE(priority)
  checked('sched_setscheduler', c.sched_setscheduler(thread, policy, parameter))
}

/** Keeps the touched pages of a range of this process's memory from being paged out. */
export function lockRange(start: bigint, length: bigint): void {
  const MLOCK_ONFAULT = 1
  checked('mlock2', c.mlock2(start, length, MLOCK_ONFAULT))
}

const clockTimespec = Buffer.alloc(16)

/** Nanoseconds on one of the kernel's clocks, as seconds and the rest of a second. */
export function clockGettime(clock: number): { readonly seconds: number; readonly nanoseconds: number } {
  checked('clock_gettime', c.clock_gettime(clock, clockTimespec))
  return { seconds: Number(clockTimespec.readBigInt64LE(0)), nanoseconds: Number(clockTimespec.readBigInt64LE(8)) }
}

/** Ignores a signal by its number, for every thread. */
export function ignoreSignal(number: number): void {
  const SIG_IGN = 1
  c.signal(number, SIG_IGN)
}
