/**
 * Many messages in one system call: `sendmmsg` and `recvmmsg` over memory that is laid out once.
 *
 *   struct mmsghdr { struct msghdr { name*, u32 namelen, iov*, u64 iovlen, control*, u64 controllen, int flags }; u32 len }
 *   struct iovec   { base*, u64 len }
 *
 * The offsets are those of 64-bit Linux, x86-64 and arm64 alike. What the pointers point at follows the headers in the
 * same buffer, whose memory never moves; so no message costs an allocation or a look-up of an address.
 */
import { addressOf, mmsghdrSize, recvmmsg, sendmmsg } from './libc.ts'

/** A message and the kernel's address structure of where it goes; `parts` lie behind one another. */
export type Message = { readonly address: Uint8Array; readonly parts: readonly Uint8Array[] }

export type Sender = {
  /** Sends all in order with one call for each 256 of them; how many the kernel did not take. */
  readonly send: (fd: number, messages: readonly Message[]) => number
}

export type Receiver = {
  /** Receives what is queued now, up to `slots` messages; how many. They are there until the next call. */
  readonly receive: (fd: number) => number
  /** A copy of the nth message, behind `headroom` octets of zero. */
  readonly message: (nth: number, headroom?: number) => Uint8Array
  /** Whether the nth message was longer than there is room. */
  readonly isCut: (nth: number) => boolean
  /** The address structure of the nth message's sender. */
  readonly name: (nth: number) => Uint8Array
  /** The data of a control message of the nth message; undefined when it has none. */
  readonly control: (nth: number, level: number, type: number) => Uint8Array | undefined
  readonly slots: number
}

const header = {
  name: 0,
  nameLength: 8,
  vector: 16,
  vectorLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  length: 56,
}
const iovecSize = 16
const MSG_TRUNC = 0x20
/** Room for any address structure that we use. */
const nameSize = 32

export function createSender(): Sender {
  const slots = 256
  /** More than the largest IP datagram in its Ethernet frame. */
  const dataSize = 80 * 1024
  const namesAt = slots * (mmsghdrSize + iovecSize)
  const dataAt = namesAt + slots * nameSize
  const memory = layOut(slots, namesAt, dataAt + dataSize)
  const { buffer, view, base } = memory

  const put = (slot: number, at: number, { address, parts }: Message): number => {
    const vector = slots * mmsghdrSize + slot * iovecSize
    buffer.set(address, namesAt + slot * nameSize)
    view.setUint32(slot * mmsghdrSize + header.nameLength, address.length, true)
    let end = at
    for (const part of parts) {
      buffer.set(part, end)
      end += part.length
    }
    setPointer(view, vector, base + at)
    view.setUint32(vector + 8, end - at, true)
    return end
  }

  return {
    send(fd, messages) {
      let [lost, slot, at] = [0, 0, dataAt]
      for (const message of messages) {
        if (slot === slots || at + lengthOf(message) > dataAt + dataSize) {
          lost += sendmmsg(fd, buffer, slot)
          ;[slot, at] = [0, dataAt]
        }
        at = put(slot, at, message)
        slot += 1
      }
      return lost + sendmmsg(fd, buffer, slot)
    },
  }
}

/** `size` octets are kept of each message; a longer one is cut. */
export function createReceiver({ slots, size }: { readonly slots: number; readonly size: number }): Receiver {
  /** Two control messages of `struct in6_pktinfo` and `int`. */
  const controlSize = 64
  const namesAt = slots * (mmsghdrSize + iovecSize)
  const controlsAt = namesAt + slots * nameSize
  const dataAt = controlsAt + slots * controlSize
  const { buffer, view, base } = layOut(slots, namesAt, dataAt + slots * size)
  const make = (slot: number): void => {
    view.setUint32(slot * mmsghdrSize + header.nameLength, nameSize, true)
    view.setUint32(slot * mmsghdrSize + header.controlLength, controlSize, true)
  }
  for (let slot = 0; slot < slots; slot += 1) {
    const vector = slots * mmsghdrSize + slot * iovecSize
    setPointer(view, slot * mmsghdrSize + header.control, base + controlsAt + slot * controlSize)
    setPointer(view, vector, base + dataAt + slot * size)
    view.setUint32(vector + 8, size, true)
    make(slot)
  }
  let used = 0
  return {
    slots,
    receive(fd) {
      // The kernel has written into the headers how much of the room it used.
      for (let slot = 0; slot < used; slot += 1) make(slot)
      used = recvmmsg(fd, buffer, slots)
      return used
    },
    message(nth, headroom = 0) {
      const length = view.getUint32(nth * mmsghdrSize + header.length, true)
      const from = dataAt + nth * size
      const bytes = new Uint8Array(headroom + length)
      bytes.set(buffer.subarray(from, from + length), headroom)
      return bytes
    },
    isCut: (nth) => (view.getUint32(nth * mmsghdrSize + header.flags, true) & MSG_TRUNC) !== 0,
    name: (nth) => buffer.subarray(namesAt + nth * nameSize, namesAt + (nth + 1) * nameSize),
    control(nth, level, type) {
      const from = controlsAt + nth * controlSize
      const length = view.getUint32(nth * mmsghdrSize + header.controlLength, true)
      return controlData(buffer.subarray(from, from + length), level, type)
    },
  }
}

/** `struct cmsghdr { u64 len; int level; int type; }` and its data, aligned to eight octets. */
function controlData(control: Buffer, level: number, type: number): Uint8Array | undefined {
  const headerSize = 16
  for (let at = 0; at + headerSize <= control.length; ) {
    const length = control.readUInt32LE(at)
    if (length < headerSize || at + length > control.length) return undefined
    if (control.readInt32LE(at + 8) === level && control.readInt32LE(at + 12) === type)
      return control.subarray(at + headerSize, at + length)
    at += (length + 7) & ~7
  }
  return undefined
}

/** A buffer that starts with headers, each with one iovec behind them all, and its name. */
function layOut(slots: number, namesAt: number, size: number): { buffer: Buffer; view: DataView; base: number } {
  const buffer = Buffer.alloc(size)
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  const base = addressOf(buffer)
  for (let slot = 0; slot < slots; slot += 1) {
    setPointer(view, slot * mmsghdrSize + header.name, base + namesAt + slot * nameSize)
    setPointer(view, slot * mmsghdrSize + header.vector, base + slots * mmsghdrSize + slot * iovecSize)
    view.setUint32(slot * mmsghdrSize + header.vectorLength, 1, true)
  }
  return { buffer, view, base }
}

/** Addresses of user space have 47 bits (or 52 on arm64), which a number holds exactly. */
function setPointer(view: DataView, at: number, address: number): void {
  view.setUint32(at, address % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true)
}

function lengthOf({ parts }: Message): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}
