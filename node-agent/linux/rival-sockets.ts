/**
 * Hears rivals that use a virtual router's own MAC address, by a socket on each virtual MAC address's device.
 *
 * While the device is up, an advertisement from that very address comes to the device alone, and one from any other
 * comes to the interface, and perhaps to the device as well. So these sockets take nothing but the first sort, and
 * every advertisement is heard once: the kernel drops the rest unseen. They join no group, which would be told
 * to the switch in frames from the virtual MAC address; and they stay open while their device is down.
 */
import type { Input } from '../vrrp/engine.ts'
import { etherType } from '../wire/ethernet.ts'
import { vrrpProtocol } from '../wire/vrrp.ts'
import { AF_PACKET, SO_RCVBUF, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET } from './constants.ts'
import { attachFilter, bind, close, receive, setsockopt, socket } from './libc.ts'
import type { Device, VirtualMacs } from './macvlan.ts'
import { int, linkLayerAddress } from './socket-address.ts'

export type RivalSockets = {
  /** In a fixed order until the next `follow`. */
  readonly fds: () => number[]
  /** What is queued on those that are ready, by their number in `fds`; each as heard on the interface. */
  readonly drain: (isReady: (nth: number) => boolean) => Input[]
  /** Devices may have come or gone. */
  readonly follow: () => void
}

type Opened = { readonly fd: number; readonly index: number; readonly interface: string }

export function openRivalSockets({ listen }: Pick<VirtualMacs, 'listen'>): RivalSockets {
  let opened: readonly Opened[] = []
  return {
    fds: () => opened.map(({ fd }) => fd),
    drain: (isReady) => opened.flatMap((each, nth) => (isReady(nth) ? drain(each) : [])),
    follow() {
      const devices = listen()
      const isStill = ({ index }: Opened): boolean => devices.some((device) => device.index === index)
      for (const each of opened) if (!isStill(each)) close(each.fd)
      const kept = opened.filter(isStill)
      const added = devices.filter(({ index }) => !kept.some((each) => each.index === index))
      opened = [...kept, ...added.map(open)]
    },
  }
}

/** Whole IP datagrams of the router's family. */
function open({ index, interface: name, mac }: Device): Opened {
  const isIpv4 = mac[4] === 1
  const fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  try {
    // Before it is bound, so that nothing else gets in.
    attachFilter(fd, program(vrrpFrom(mac, isIpv4 ? ipv4ProtocolAt : ipv6NextHeaderAt)))
    setsockopt(fd, { level: SOL_SOCKET, name: SO_RCVBUF, what: 'set a socket buffer' }, int(receiveBuffer))
    bind(fd, linkLayerAddress(index, isIpv4 ? etherType.ipv4 : etherType.ipv6))
  } catch (error) {
    close(fd)
    throw error
  }
  return { fd, index, interface: name }
}

const receiveBuffer = 1 << 18

const buffer = new Uint8Array(4352)

function drain({ fd, interface: name }: Opened): Input[] {
  const inputs: Input[] = []
  for (let length = receive(fd, buffer); length !== undefined; length = receive(fd, buffer)) {
    inputs.push({ kind: 'datagram', interface: name, bytes: buffer.slice(0, length) })
  }
  return inputs
}

/** Classic BPF, `struct sock_filter { u16 code; u8 jt, jf; u32 k; }` each. */
type Instruction = readonly [code: number, jumpIfTrue: number, jumpIfFalse: number, value: number]

const code = { loadWord: 0x20, loadHalf: 0x28, loadByte: 0x30, jumpIfEqual: 0x15, return: 0x06 } as const

const ipv4ProtocolAt = 9
const ipv6NextHeaderAt = 6

/** Where the kernel keeps the Ethernet header of a datagram (SKF_LL_OFF), and what sort of frame it was. */
const linkLayer = 0xffe0_0000
const sourceMacAt = 6
const packetType = 0xffff_f000 + 4
const PACKET_OUTGOING = 4

/** VRRP that has come in, and not gone out, from this MAC address. */
function vrrpFrom(mac: Uint8Array, protocolAt: number): Instruction[] {
  const view = new DataView(mac.buffer, mac.byteOffset)
  return [
    [code.loadByte, 0, 0, protocolAt],
    [code.jumpIfEqual, 0, 7, vrrpProtocol],
    [code.loadWord, 0, 0, linkLayer + sourceMacAt],
    [code.jumpIfEqual, 0, 5, view.getUint32(0)],
    [code.loadHalf, 0, 0, linkLayer + sourceMacAt + 4],
    [code.jumpIfEqual, 0, 3, view.getUint16(4)],
    [code.loadByte, 0, 0, packetType],
    [code.jumpIfEqual, 1, 0, PACKET_OUTGOING],
    [code.return, 0, 0, 0xffff],
    [code.return, 0, 0, 0],
  ]
}

function program(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8)
  for (const [i, [operation, jumpIfTrue, jumpIfFalse, value]] of instructions.entries()) {
    bytes.writeUInt16LE(operation, i * 8)
    bytes.writeUInt8(jumpIfTrue, i * 8 + 2)
    bytes.writeUInt8(jumpIfFalse, i * 8 + 3)
    bytes.writeUInt32LE(value, i * 8 + 4)
  }
  return bytes
}
