/**
 * Netlink framing (RFC 3549 §2.2): messages behind one another in a datagram, attributes behind one another in a message.
 *
 *   struct nlmsghdr { u32 len; u16 type; u16 flags; u32 seq; u32 pid; }     struct rtattr { u16 len; u16 type; } payload
 *
 * Both are aligned to four octets and in the machine's byte order, which is little-endian wherever Holdfast runs.
 */

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

export const NLM_F_REQUEST = 0x001
export const NLM_F_ACK = 0x004
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_CREATE = 0x400

export type NetlinkMessage = {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly payload: Uint8Array
}

const messageHeader = 16
const attributeHeader = 4
const aligned = (length: number): number => (length + 3) & ~3

export function encodeMessage({ type, flags, sequence, payload }: NetlinkMessage): Uint8Array {
  const bytes = new Uint8Array(aligned(messageHeader + payload.length))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, messageHeader + payload.length, true)
  view.setUint16(4, type, true)
  view.setUint16(6, flags, true)
  view.setUint32(8, sequence, true)
  bytes.set(payload, messageHeader)
  return bytes
}

/** Asks the kernel to say so when a message has been done. One that fails is answered in any case. */
export function askForAcknowledgement(message: Uint8Array): void {
  const view = viewOf(message)
  view.setUint16(6, view.getUint16(6, true) | NLM_F_ACK, true)
}

/** All messages of a datagram. Stops where a length no longer fits: the rest is not a message. */
export function decodeMessages(datagram: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  const view = viewOf(datagram)
  for (let at = 0; at + messageHeader <= datagram.length; ) {
    const length = view.getUint32(at, true)
    if (length < messageHeader || at + length > datagram.length) break
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.slice(at + messageHeader, at + length),
    })
    at += aligned(length)
  }
  return messages
}

/** The errno that an NLMSG_ERROR message carries; 0 acknowledges. */
export function errnoOf(message: NetlinkMessage): number {
  return 0 - viewOf(message.payload).getInt32(0, true)
}

export function encodeAttribute(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(aligned(attributeHeader + payload.length))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, attributeHeader + payload.length, true)
  view.setUint16(2, type, true)
  bytes.set(payload, attributeHeader)
  return bytes
}

/** Attributes by type, from `offset` to the end; the last of a type wins. */
export function decodeAttributes(payload: Uint8Array, offset: number): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>()
  const view = viewOf(payload)
  for (let at = offset; at + attributeHeader <= payload.length; ) {
    const length = view.getUint16(at, true)
    if (length < attributeHeader || at + length > payload.length) break
    // The two highest bits of the type are flags (nested, network byte order).
    attributes.set(view.getUint16(at + 2, true) & 0x3fff, payload.slice(at + attributeHeader, at + length))
    at += aligned(length)
  }
  return attributes
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
