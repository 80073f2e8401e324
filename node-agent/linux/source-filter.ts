/**
 * Lets a raw socket hear only what comes from one MAC address.
 *
 * While a virtual router's device is up, an advertisement from any other MAC address arrives twice, by the interface
 * and by the device; one from the virtual MAC address itself by the device alone (R-21, measured as A-20). So what the
 * device's socket is to hear is exactly that, and the kernel wakes nobody for the rest.
 */
import { attachFilter } from './libc.ts'

/** Classic BPF, `struct sock_filter { u16 code; u8 jt, jf; u32 k; }` each. */
const instruction = { loadWord: 0x20, loadHalf: 0x28, jumpIfEqual: 0x15, return: 0x06 } as const

/** Where the Ethernet header begins for a socket that gets IP datagrams (SKF_LL_OFF). */
const linkLayer = 0xffe0_0000
const sourceMacAt = 6

export function hearOnlyFrom(fd: number, mac: Uint8Array): void {
  const { buffer, byteOffset } = mac
  const view = new DataView(buffer, byteOffset)
  attachFilter(
    fd,
    program([
      [instruction.loadWord, 0, 0, linkLayer + sourceMacAt],
      [instruction.jumpIfEqual, 0, 3, view.getUint32(0)],
      [instruction.loadHalf, 0, 0, linkLayer + sourceMacAt + 4],
      [instruction.jumpIfEqual, 0, 1, view.getUint16(4)],
      [instruction.return, 0, 0, 0xffff],
      [instruction.return, 0, 0, 0],
    ]),
  )
}

type Instruction = readonly [code: number, jumpIfTrue: number, jumpIfFalse: number, value: number]

function program(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8)
  for (const [i, [code, jumpIfTrue, jumpIfFalse, value]] of instructions.entries()) {
    bytes.writeUInt16LE(code, i * 8)
    bytes.writeUInt8(jumpIfTrue, i * 8 + 2)
    bytes.writeUInt8(jumpIfFalse, i * 8 + 3)
    bytes.writeUInt32LE(value, i * 8 + 4)
  }
  return bytes
}
