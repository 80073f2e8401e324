/** The VRRP process's ports on Linux: raw sockets, rtnetlink and the supervisor's pipe, waited for together. */
import type { AddressChange, Announcement, FromVrrp, VrrpPorts } from '../ports.ts'
import type { Outgoing } from '../vrrp/datagrams.ts'
import type { Input } from '../vrrp/engine.ts'
import { earliest } from '../vrrp/time.ts'
import { type Address, familyOf, type Prefix, sameAddress } from '../wire/address.ts'
import { encodeAnnouncement } from '../wire/announcement.ts'
import { encodeEthernet, etherType, groupMac } from '../wire/ethernet.ts'
import { changeAddresses, type DeviceOf, describeRefusal } from './addresses.ts'
import { createAnnouncements } from './announcements.ts'
import { now } from './clock.ts'
import { type InterfaceChange, type Interfaces, watchInterfaces } from './interfaces.ts'
import { isReady, pollSetOf, ppoll, waitForRoom } from './libc.ts'
import type { VirtualMacs } from './macvlan.ts'
import { openNetlinkSocket } from './netlink-socket.ts'
import {
  type Datagram,
  type FrameSocket,
  type OutgoingFrame,
  openFrameSocket,
  type VrrpSocket,
} from './packet-socket.ts'
import type { Pipe } from './pipe.ts'
import { openRivalSockets } from './rival-sockets.ts'
import { type Carried, openVrrpSockets, type VrrpSockets } from './vrrp-sockets.ts'

export type LinuxVrrpPorts = VrrpPorts & {
  readonly interfaces: Interfaces
  /**
   * Opens what these routers need, and closes what none of them needs any more. What is known of their interfaces, as
   * the first inputs of an engine that runs them.
   */
  readonly carry: (routers: readonly Carried[]) => Input[]
}

export type LinuxVrrpOptions = {
  /** The supervisor's pipe: waited for with the rest. Undefined once the supervisor is gone: then leave politely. */
  readonly pipe: Pick<Pipe, 'fd' | 'isFull' | 'flush'> & { readonly drain: () => Input[] | undefined }
  readonly publish: (message: FromVrrp) => void
  readonly virtualMacs: VirtualMacs
  /** Makes sure that these interfaces keep the addresses of a network when one of them goes; what was not possible. */
  readonly keepSiblings: (interfaces: readonly string[]) => readonly string[]
}

/** What a wait found is believed for this long: who was frozen since asks again. */
const freshUs = 1_000

export function openVrrpPorts(options: LinuxVrrpOptions): LinuxVrrpPorts {
  const { virtualMacs } = options
  const request = openNetlinkSocket(0)
  const interfaces = watchInterfaces(request)
  const frames = openFrameSocket()
  const sockets = openVrrpSockets(interfaces, (names) => {
    for (const message of options.keepSiblings(names)) options.publish({ kind: 'warning', message })
  })
  const deviceOf: DeviceOf = (place) =>
    place.mac === null ? interfaces.get(place.interface) : virtualMacs.deviceOf(place)
  const rivals = openRivalSockets(virtualMacs)
  const announcements = createAnnouncements(
    (ready) => frames.send(ready.flatMap((each) => announcementFrame(interfaces, each))),
    (each) => isInstalled(interfaces, virtualMacs, each),
  )
  let supervised = true
  let poll: Buffer = Buffer.alloc(0)
  let polledAt = -Infinity

  const watch = (): void => {
    // A closed pipe is readable for ever; waiting on it would spin.
    poll = pollSetOf([interfaces.fd, supervised ? options.pipe.fd : -1, ...sockets.fds(), ...rivals.fds()])
    polledAt = -Infinity
  }
  const wait = (timeoutUs: number | undefined): void => {
    waitForRoom(poll, 1, options.pipe.isFull())
    ppoll(poll, timeoutUs)
    polledAt = now()
  }
  const drainPipe = (): Input[] => {
    options.pipe.flush()
    const commands = options.pipe.drain()
    if (commands !== undefined) return commands
    supervised = false
    watch()
    return [{ kind: 'stop' }]
  }
  const heed = (changes: readonly InterfaceChange[]): Input[] => {
    const { lost, said } = virtualMacs.heed(changes, interfaces)
    for (const message of said) options.publish({ kind: 'warning', message })
    rivals.follow()
    return lost.map((each) => ({ kind: 'address-removed', ...each }))
  }
  watch()

  return {
    interfaces,
    carry(routers) {
      sockets.carry(routers)
      rivals.follow()
      watch()
      return sockets.names().map((name) => interfaceInput(interfaces, name))
    },
    now,
    drain() {
      if (now() - polledAt > freshUs) wait(0)
      const [links, commands] = [isReady(poll, 0), isReady(poll, 1)]
      polledAt = -Infinity
      const rivalsAt = 2 + sockets.fds().length
      const packets = sockets.drain((nth) => isReady(poll, nth + 2))
      packets.push(...rivals.drain((nth) => isReady(poll, nth + rivalsAt)))
      const inputs = links ? [...hearLinks(interfaces, sockets, heed), ...packets] : packets
      if (links) watch()
      announcements.look(now())
      return commands ? [...inputs, ...drainPipe()] : inputs
    },
    wait(deadline) {
      const first = earliest(deadline, announcements.deadline())
      wait(first === undefined ? undefined : first - now())
    },
    sendAdvertisements: (outgoing) => sendAdvertisements({ interfaces, sockets, frames }, outgoing),
    changeAddresses(changes) {
      announcements.forget(changes)
      for (const refusal of changeAddresses({ request, interfaces, deviceOf, virtualMacs }, changes)) {
        options.publish({ kind: 'warning', message: describeRefusal(refusal) })
      }
    },
    announce: (all) => announcements.announce(all, now()),
    publish: options.publish,
  }
}

/** What became of interfaces in use; of each its latest status alone, however many events there were. */
function hearLinks(
  interfaces: Interfaces,
  sockets: VrrpSockets,
  heed: (changes: readonly InterfaceChange[]) => Input[],
): Input[] {
  const all = interfaces.drain()
  const lost = heed(all)
  const changes = all.filter(({ name }) => sockets.isUsed(name))
  // Under its old name there is another interface now: what was on the old one is gone, and begins anew.
  const replaced = sockets.follow().map((name): Input => ({ kind: 'interface', interface: name, status: undefined }))
  const removed = changes.flatMap((change): Input[] =>
    change.kind === 'address-removed'
      ? [{ kind: 'address-removed', interface: change.name, address: change.address }]
      : [],
  )
  const changed = new Set(changes.map(({ name }) => name))
  return [...replaced, ...lost, ...removed, ...[...changed].map((name) => interfaceInput(interfaces, name))]
}

/** An address that may not be used yet is not one that the interface has. */
function interfaceInput(interfaces: Interfaces, name: string): Input {
  const found = interfaces.get(name)
  const status = found && { up: found.up, addresses: found.addresses.filter(({ ready }) => ready) }
  return { kind: 'interface', interface: name, status }
}

type Ways = { readonly interfaces: Interfaces; readonly sockets: VrrpSockets; readonly frames: FrameSocket }

/** One call for each socket in use. */
function sendAdvertisements({ interfaces, sockets, frames }: Ways, outgoing: readonly Outgoing[]): void {
  const bySocket = new Map<VrrpSocket, Datagram[]>()
  const framed: OutgoingFrame[] = []
  for (const each of outgoing) {
    if (each.mac !== null) {
      const index = interfaces.get(each.interface)?.index
      if (index !== undefined) framed.push({ index, parts: [headerFrom(each.mac, each.destination), each.datagram] })
      continue
    }
    const socket = sockets.find(each.interface, familyOf(each.destination))
    if (socket === undefined) continue
    const list = bySocket.get(socket)
    if (list === undefined) bySocket.set(socket, [each])
    else list.push(each)
  }
  for (const [socket, datagrams] of bySocket) socket.send(datagrams)
  if (framed.length > 0) frames.send(framed)
}

/** A virtual MAC speaks to the group only: configuration has refused it together with peers. */
function headerFrom(mac: Uint8Array, group: Address): Uint8Array {
  const type = familyOf(group) === 'ipv4' ? etherType.ipv4 : etherType.ipv6
  return encodeEthernet({ destination: groupMac(group), source: mac, type })
}

/** It leaves by the interface itself in any case: on the wire it is the same, and it is up already. */
function announcementFrame(interfaces: Interfaces, { interface: name, mac, address }: Announcement): OutgoingFrame[] {
  const found = interfaces.get(name)
  if (found === undefined) return []
  return [{ index: found.index, parts: [encodeAnnouncement({ mac: mac ?? found.mac, address })] }]
}

/** Whether the kernel has said that the place has the address. */
function isInstalled(interfaces: Interfaces, virtualMacs: VirtualMacs, { address, ...place }: Announcement): boolean {
  const name = place.mac === null ? place.interface : virtualMacs.deviceOf(place)?.name
  const has = name === undefined ? undefined : interfaces.get(name)
  return has?.addresses.some((own) => sameAddress(own.address, address)) ?? false
}

/** Those of `wanted` that an interface has, with the prefix they have there. */
export function installed(interfaces: Interfaces, name: string, wanted: readonly Prefix[]): AddressChange[] {
  const isWanted = ({ address }: Prefix): boolean => wanted.some((other) => sameAddress(other.address, address))
  const has = interfaces.get(name)?.addresses ?? []
  return has.filter(isWanted).map(({ address, prefixLength }) => ({
    kind: 'delete',
    interface: name,
    mac: null,
    prefix: { address, prefixLength },
  }))
}
