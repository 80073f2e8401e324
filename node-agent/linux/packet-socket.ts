/**
 * The sockets that carry packets: a raw VRRP socket for each interface and family, and one AF_PACKET socket for all
 * frames that we make ourselves.
 *
 * A datagram is whole on both ways, its IP header included, so that an advertisement never leaves from a virtual
 * address. IPv4 hands over the header of what it received; IPv6 tells of it in pieces, and it is put together here.
 */
import type { Address, Family } from '../wire/address.ts'
import { ipv6HeaderLength } from '../wire/ipv6.ts'
import { multicastGroupOf, vrrpProtocol } from '../wire/vrrp.ts'
import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  IP_ADD_MEMBERSHIP,
  IP_HDRINCL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_HDRINCL,
  IPV6_HOPLIMIT,
  IPV6_JOIN_GROUP,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
  IPV6_PKTINFO,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  SO_BINDTODEVICE,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
} from './constants.ts'
import { bind, close, SystemError, setsockopt, socket } from './libc.ts'
import { createReceiver, createSender } from './messages.ts'
import {
  int,
  internetAddress,
  linkLayerAddress,
  membership,
  membership6,
  sockaddrIn6AddressAt,
} from './socket-address.ts'

/** What a VRRP socket listens to. `multicast`: to the group too, and not only to what peers send to our address. */
export type Listening = { readonly interface: string; readonly family: Family; readonly multicast: boolean }

export type Datagram = { readonly destination: Address; readonly datagram: Uint8Array }

export type VrrpSocket = {
  readonly fd: number
  /** Every datagram that is queued, oldest first. */
  readonly drain: () => Uint8Array[]
  /** All in one system call; one that can't leave now is lost. */
  readonly send: (datagrams: readonly Datagram[]) => void
  readonly close: () => void
}

/** Room for minutes of advertisements of hundreds of routers, so that a freeze loses none of them. */
const receiveBuffer = 1 << 20

/** Room for what hundreds of routers say at once. */
const sendBuffer = 1 << 20

/** TC_PRIO_CONTROL: ahead of bulk traffic in this machine's own queue. */
const controlPriority = 7

/** One of each is enough for all sockets: nothing waits in them between two calls. */
const sender = createSender()
/** An advertisement of 255 IPv6 addresses fits, and what is no advertisement may be cut. */
const receiver = createReceiver({ slots: 64, size: 4352 })

export function openVrrpSocket(listening: Listening, index: number): VrrpSocket {
  const { interface: name, family } = listening
  const fd = socket(family === 'ipv4' ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, vrrpProtocol)
  try {
    const device = new TextEncoder().encode(`${name}\0`)
    setsockopt(fd, { level: SOL_SOCKET, name: SO_BINDTODEVICE, what: `bind to interface ${name}` }, device)
    setsockopt(fd, { level: SOL_SOCKET, name: SO_PRIORITY, what: 'set the queueing priority' }, int(controlPriority))
    setBuffers(fd)
    if (family === 'ipv4') setUpIpv4(fd, listening, index)
    else setUpIpv6(fd, listening, index)
  } catch (error) {
    close(fd)
    throw error
  }
  /** The same few destinations come again with every advertisement. */
  const known = new WeakMap<Address, Uint8Array>()
  const addressOf = (destination: Address): Uint8Array => {
    const address = known.get(destination) ?? internetAddress(destination, index)
    known.set(destination, address)
    return address
  }
  const read = family === 'ipv4' ? (nth: number) => receiver.message(nth) : readIpv6
  return {
    fd,
    drain: () => drainDatagrams(fd, read),
    send(datagrams) {
      sender.send(
        fd,
        datagrams.map(({ destination, datagram }) => ({ address: addressOf(destination), parts: [datagram] })),
      )
    },
    close: () => close(fd),
  }
}

function setUpIpv4(fd: number, { interface: name, multicast }: Listening, index: number): void {
  const set = (option: number, what: string, value: Uint8Array): void =>
    setsockopt(fd, { level: IPPROTO_IP, name: option, what }, value)
  set(IP_HDRINCL, 'send whole datagrams', int(1))
  if (!multicast) return
  set(IP_ADD_MEMBERSHIP, `join 224.0.0.18 on ${name}`, membership(multicastGroupOf('ipv4'), index))
  set(IP_MULTICAST_IF, `multicast from ${name}`, membership(new Uint8Array(4), index))
  set(IP_MULTICAST_LOOP, 'not hear ourselves', int(0))
}

function setUpIpv6(fd: number, { interface: name, multicast }: Listening, index: number): void {
  const set = (option: number, what: string, value: Uint8Array): void =>
    setsockopt(fd, { level: IPPROTO_IPV6, name: option, what }, value)
  set(IPV6_HDRINCL, 'send whole IPv6 datagrams', int(1))
  set(IPV6_RECVPKTINFO, 'hear where a datagram went', int(1))
  set(IPV6_RECVHOPLIMIT, 'hear the hop limit', int(1))
  if (!multicast) return
  set(IPV6_JOIN_GROUP, `join ff02::12 on ${name}`, membership6(multicastGroupOf('ipv6'), index))
  set(IPV6_MULTICAST_IF, `multicast from ${name}`, int(index))
  set(IPV6_MULTICAST_LOOP, 'not hear ourselves', int(0))
}

/** Beyond the machine's bound for ordinary sockets where we may, which takes CAP_NET_ADMIN outside any user namespace. */
export function setBuffers(fd: number): void {
  for (const [force, ordinary, size] of [
    [SO_RCVBUFFORCE, SO_RCVBUF, receiveBuffer],
    [SO_SNDBUFFORCE, SO_SNDBUF, sendBuffer],
  ] as const) {
    try {
      setsockopt(fd, { level: SOL_SOCKET, name: force, what: 'set a socket buffer' }, int(size))
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'EPERM') throw error
      setsockopt(fd, { level: SOL_SOCKET, name: ordinary, what: 'set a socket buffer' }, int(size))
    }
  }
}

function drainDatagrams(fd: number, read: (nth: number) => Uint8Array): Uint8Array[] {
  const datagrams: Uint8Array[] = []
  for (;;) {
    const received = receiver.receive(fd)
    for (let nth = 0; nth < received; nth += 1) datagrams.push(read(nth))
    if (received < receiver.slots) return datagrams
  }
}

/** A raw IPv6 socket gives what follows the header, and of the header what was asked for. */
function readIpv6(nth: number): Uint8Array {
  const datagram = receiver.message(nth, ipv6HeaderLength)
  const length = datagram.length - ipv6HeaderLength
  const [hopLimit] = receiver.control(nth, IPPROTO_IPV6, IPV6_HOPLIMIT) ?? [0]
  const destination = receiver.control(nth, IPPROTO_IPV6, IPV6_PKTINFO)
  datagram[0] = 0x60
  datagram[4] = length >> 8
  datagram[5] = length & 0xff
  datagram[6] = vrrpProtocol
  datagram[7] = hopLimit!
  datagram.set(receiver.name(nth).subarray(sockaddrIn6AddressAt, sockaddrIn6AddressAt + 16), 8)
  if (destination !== undefined) datagram.set(destination.subarray(0, 16), 24)
  return datagram
}

/** A whole Ethernet frame, in pieces that lie behind one another, and the interface that it leaves by. */
export type OutgoingFrame = { readonly index: number; readonly parts: readonly Uint8Array[] }

export type FrameSocket = {
  /** All in one system call; one that can't leave now is lost. */
  readonly send: (frames: readonly OutgoingFrame[]) => void
  readonly close: () => void
}

/** Bound to no protocol, so that it never receives a frame. */
export function openFrameSocket(): FrameSocket {
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
  try {
    setsockopt(fd, { level: SOL_SOCKET, name: SO_PRIORITY, what: 'set the queueing priority' }, int(controlPriority))
    setBuffers(fd)
    bind(fd, linkLayerAddress(0, 0))
  } catch (error) {
    close(fd)
    throw error
  }
  return {
    send: (frames) =>
      void sender.send(
        fd,
        frames.map(({ index, parts }) => ({ address: linkLayerAddress(index, typeOf(parts[0]!)), parts })),
      ),
    close: () => close(fd),
  }
}

/** The EtherType; the first piece of a frame holds at least its header. */
function typeOf(frame: Uint8Array): number {
  return (frame[12]! << 8) | frame[13]!
}
