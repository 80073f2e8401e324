/** The VRRP process's ports on Linux: raw sockets, rtnetlink and the supervisor's pipe, waited for together. */
import type { AddressChange, FromVrrp, VrrpPorts } from '../ports.ts'
import type { Input } from '../vrrp/engine.ts'
import { type Address, type Prefix, sameAddress } from '../wire/address.ts'
import { encodeGratuitousArp } from '../wire/arp.ts'
import { changeAddresses, describeRefusal } from './addresses.ts'
import { now } from './clock.ts'
import { type InterfaceChange, type Interfaces, watchInterfaces } from './interfaces.ts'
import { pollSetOf, ppoll } from './libc.ts'
import type { VirtualMacs } from './macvlan.ts'
import { type NetlinkSocket, openNetlinkSocket } from './netlink-socket.ts'
import { openArpSocket, openVrrpSocket, type VrrpSocket } from './packet-socket.ts'
import { hearOnlyFrom } from './source-filter.ts'

export type LinuxVrrpPorts = VrrpPorts & {
  readonly interfaces: Interfaces
  /** What is known of every interface in use, as the first inputs of an engine. */
  readonly initialInputs: () => Input[]
}

/** An interface's socket; another index means that another interface has taken the name. */
type Opened = { readonly index: number; readonly interface: string; readonly socket: VrrpSocket }

export function openVrrpPorts(options: {
  /** Names of the interfaces that carry a virtual router. */
  readonly interfaces: readonly string[]
  /** The supervisor's pipe: waited for with the rest. Undefined once the supervisor is gone: then leave politely. */
  readonly pipe: { readonly fd: number; readonly drain: () => Input[] | undefined }
  readonly publish: (message: FromVrrp) => void
  readonly virtualMacs: VirtualMacs
}): LinuxVrrpPorts {
  const { virtualMacs } = options
  const request: NetlinkSocket = openNetlinkSocket(0)
  const interfaces = watchInterfaces(request)
  const arp = openArpSocket()
  const opened = new Map<string, Opened>()
  let pollSet: Buffer = Buffer.alloc(0)
  let supervised = true

  const reopen = (): void => {
    type Wanted = { readonly interface: string; readonly index: number | undefined; readonly mac: Uint8Array | null }
    const own = options.interfaces.map((name): [string, Wanted] => {
      return [name, { interface: name, index: interfaces.get(name)?.index, mac: null }]
    })
    const wanted = new Map([...own, ...virtualMacs.listen().map((device): [string, Wanted] => [device.name, device])])
    for (const [name, { index, socket }] of opened) {
      if (wanted.get(name)?.index === index) continue
      socket.close()
      opened.delete(name)
    }
    for (const [name, { index, interface: parent, mac }] of wanted) {
      if (index === undefined || opened.has(name)) continue
      const socket = openVrrpSocket({ name, index })
      if (mac !== null) hearOnlyFrom(socket.fd, mac)
      opened.set(name, { index, interface: parent, socket })
    }
    pollSet = pollSetOf([
      interfaces.fd,
      ...(supervised ? [options.pipe.fd] : []),
      ...[...opened.values()].map(({ socket }) => socket.fd),
    ])
  }
  reopen()

  return {
    interfaces,
    initialInputs: () => options.interfaces.map((name) => interfaceInput(interfaces, name)),
    now,
    drain() {
      const changes = interfaces.drain()
      const { lost, said } = virtualMacs.heed(changes, interfaces)
      for (const message of said) options.publish({ kind: 'warning', message })
      if (changes.some(({ kind }) => kind === 'interface')) reopen()
      const inputs: Input[] = [...changes, ...lost]
        .filter(({ name }) => options.interfaces.includes(name))
        .map((change) => inputOf(interfaces, change))
      for (const { interface: name, socket } of opened.values()) {
        for (const bytes of socket.drain()) inputs.push({ kind: 'datagram', interface: name, bytes })
      }
      const commands = supervised ? options.pipe.drain() : []
      if (commands !== undefined) return [...inputs, ...commands]
      // A closed pipe is readable for ever; waiting on it would spin.
      supervised = false
      reopen()
      return [...inputs, { kind: 'stop' }]
    },
    wait: (deadline) => void ppoll(pollSet, deadline === undefined ? undefined : deadline - now()),
    sendAdvertisements(outgoing) {
      for (const { interface: name, mac, datagram } of outgoing) {
        const found = interfaces.get(name)
        if (mac === null) opened.get(name)?.socket.send(datagram)
        else if (found !== undefined) arp.send(found.index, multicastFrame(mac, datagram))
      }
    },
    changeAddresses(changes) {
      for (const refusal of changeAddresses({ request, interfaces, virtualMacs }, changes)) {
        options.publish({ kind: 'warning', message: describeRefusal(refusal) })
      }
    },
    announce(announcements) {
      for (const { interface: name, mac, address } of announcements) {
        const found = interfaces.get(name)
        if (found !== undefined) arp.send(found.index, encodeGratuitousArp({ mac: mac ?? found.mac, address }))
      }
    },
    publish: options.publish,
  }
}

function inputOf(interfaces: Interfaces, change: InterfaceChange): Input {
  return change.kind === 'interface'
    ? interfaceInput(interfaces, change.name)
    : { kind: 'address-removed', interface: change.name, address: change.address }
}

/** To the MAC address of 224.0.0.18. */
function multicastFrame(mac: Uint8Array, datagram: Uint8Array): Uint8Array {
  const frame = new Uint8Array(14 + datagram.length)
  frame.set([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12])
  frame.set(mac, 6)
  frame.set([0x08, 0x00], 12)
  frame.set(datagram, 14)
  return frame
}

function interfaceInput(interfaces: Interfaces, name: string): Input {
  const found = interfaces.get(name)
  const status = found === undefined ? undefined : { up: found.up, addresses: found.addresses }
  return { kind: 'interface', interface: name, status }
}

/** Those of `wanted` that `interface_` has, with the prefix they have there. */
export function installed(interfaces: Interfaces, interface_: string, wanted: readonly Prefix[]): AddressChange[] {
  const has = interfaces.get(interface_)?.addresses ?? []
  const isWanted = (address: Address): boolean => wanted.some((other) => sameAddress(other.address, address))
  return has
    .filter(({ address }) => isWanted(address))
    .map((prefix) => ({ kind: 'delete', interface: interface_, mac: null, prefix }))
}
