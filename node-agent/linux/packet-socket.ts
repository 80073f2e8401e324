/**
 * The sockets that carry packets: one raw VRRP socket an interface, and one AF_PACKET socket for gratuitous ARP.
 *
 * The kernel hands a raw socket the IPv4 header too, which tells source, destination and TTL, and takes ours whole
 * (IP_HDRINCL), so that an advertisement never leaves from a virtual address.
 */
import { vrrpMulticastGroup, vrrpProtocol } from '../wire/vrrp.ts'
import {
  AF_INET,
  AF_PACKET,
  IP_ADD_MEMBERSHIP,
  IP_HDRINCL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IPPROTO_IP,
  SO_BINDTODEVICE,
  SO_PRIORITY,
  SO_RCVBUF,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
} from './constants.ts'
import { bind, close, receive, sendto, setsockopt, socket } from './libc.ts'
import { int, internetAddress, linkLayerAddress, membership } from './socket-address.ts'

export type VrrpSocket = {
  readonly fd: number
  /** Every datagram that is queued, oldest first. */
  readonly drain: () => Uint8Array[]
  readonly send: (datagram: Uint8Array) => void
  readonly close: () => void
}

/** Room for minutes of advertisements of hundreds of routers, so that a freeze loses none of them. */
const receiveBuffer = 1 << 20

/** TC_PRIO_CONTROL: ahead of bulk traffic in this machine's own queue. */
const controlPriority = 7

const largestDatagram = 2048

export function openVrrpSocket({ name, index }: { readonly name: string; readonly index: number }): VrrpSocket {
  const fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, vrrpProtocol)
  try {
    const device = new TextEncoder().encode(`${name}\0`)
    setsockopt(fd, { level: SOL_SOCKET, name: SO_BINDTODEVICE, what: `bind to interface ${name}` }, device)
    setsockopt(fd, { level: SOL_SOCKET, name: SO_RCVBUF, what: 'set the receive buffer' }, int(receiveBuffer))
    setsockopt(fd, { level: SOL_SOCKET, name: SO_PRIORITY, what: 'set the queueing priority' }, int(controlPriority))
    setsockopt(fd, { level: IPPROTO_IP, name: IP_HDRINCL, what: 'send whole datagrams' }, int(1))
    const group = membership(vrrpMulticastGroup, index)
    setsockopt(fd, { level: IPPROTO_IP, name: IP_ADD_MEMBERSHIP, what: `join 224.0.0.18 on ${name}` }, group)
    setsockopt(
      fd,
      { level: IPPROTO_IP, name: IP_MULTICAST_IF, what: `multicast from ${name}` },
      membership(new Uint8Array(4), index),
    )
    setsockopt(fd, { level: IPPROTO_IP, name: IP_MULTICAST_LOOP, what: 'not hear ourselves' }, int(0))
  } catch (error) {
    close(fd)
    throw error
  }
  const destination = internetAddress(vrrpMulticastGroup)
  return {
    fd,
    drain: () => drainDatagrams(fd),
    send: (datagram) => void sendto(fd, datagram, destination),
    close: () => close(fd),
  }
}

const buffer = new Uint8Array(largestDatagram)

function drainDatagrams(fd: number): Uint8Array[] {
  const datagrams: Uint8Array[] = []
  for (let length = receive(fd, buffer); length !== undefined; length = receive(fd, buffer)) {
    datagrams.push(buffer.slice(0, length))
  }
  return datagrams
}

export type FrameSocket = {
  /** Sends a whole Ethernet frame out of an interface. */
  readonly send: (interfaceIndex: number, frame: Uint8Array) => void
  readonly close: () => void
}

/** Sends ARP frames; bound to no protocol, so that it never receives one. */
export function openArpSocket(): FrameSocket {
  const etherTypeArp = 0x0806
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
  bind(fd, linkLayerAddress(0, 0))
  return {
    send: (interfaceIndex, frame) => void sendto(fd, frame, linkLayerAddress(interfaceIndex, etherTypeArp)),
    close: () => close(fd),
  }
}
