/** The VRRP process's ports on Linux: raw sockets, rtnetlink and the supervisor's pipe, waited for together. */
import type { AddressChange, FromVrrp, VrrpPorts } from '../ports.ts'
import type { Input } from '../vrrp/engine.ts'
import type { VirtualRouter } from '../vrrp/router.ts'
import { type Address, type Prefix, sameAddress } from '../wire/address.ts'
import { encodeGratuitousArp } from '../wire/arp.ts'
import { changeAddresses, describeRefusal } from './addresses.ts'
import { now } from './clock.ts'
import { type Interfaces, watchInterfaces } from './interfaces.ts'
import { pollSetOf, ppoll } from './libc.ts'
import { type NetlinkSocket, openNetlinkSocket } from './netlink-socket.ts'
import { openArpSocket, openVrrpSocket, type VrrpSocket } from './packet-socket.ts'

export type LinuxVrrpPorts = VrrpPorts & {
  readonly interfaces: Interfaces
  /**
   * Opens what these routers need, and closes what none of them needs any more. What is known of their interfaces, as
   * the first inputs of an engine that runs them.
   */
  readonly carry: (routers: readonly VirtualRouter[]) => Input[]
}

/** An interface's socket; another index means that another interface has taken the name. */
type Opened = { readonly index: number; readonly socket: VrrpSocket }

export function openVrrpPorts(options: {
  /** The supervisor's pipe: waited for with the rest. Undefined once the supervisor is gone: then leave politely. */
  readonly pipe: { readonly fd: number; readonly drain: () => Input[] | undefined }
  readonly publish: (message: FromVrrp) => void
}): LinuxVrrpPorts {
  const request: NetlinkSocket = openNetlinkSocket(0)
  const interfaces = watchInterfaces(request)
  const arp = openArpSocket()
  const opened = new Map<string, Opened>()
  let pollSet: Buffer = Buffer.alloc(0)
  let carrying: readonly string[] = []
  let supervised = true

  const reopen = (): void => {
    for (const [name, { socket }] of opened) {
      if (carrying.includes(name)) continue
      socket.close()
      opened.delete(name)
    }
    for (const name of carrying) {
      const index = interfaces.get(name)?.index
      const before = opened.get(name)
      if (before !== undefined && before.index !== index) {
        before.socket.close()
        opened.delete(name)
      }
      if (index !== undefined && !opened.has(name)) opened.set(name, { index, socket: openVrrpSocket({ name, index }) })
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
    carry(routers) {
      carrying = [...new Set(routers.map((router) => router.interface))]
      reopen()
      return carrying.map((name) => interfaceInput(interfaces, name))
    },
    now,
    drain() {
      const changes = interfaces.drain()
      if (changes.some(({ kind }) => kind === 'interface')) reopen()
      const inputs: Input[] = changes
        .filter(({ name }) => opened.has(name) || carrying.includes(name))
        .map((change) =>
          change.kind === 'interface'
            ? interfaceInput(interfaces, change.name)
            : { kind: 'address-removed', interface: change.name, address: change.address },
        )
      for (const [name, { socket }] of opened) {
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
      for (const { interface: name, datagram } of outgoing) opened.get(name)?.socket.send(datagram)
    },
    changeAddresses(changes) {
      for (const refusal of changeAddresses(request, interfaces, changes)) {
        options.publish({ kind: 'warning', message: describeRefusal(refusal) })
      }
    },
    announce(announcements) {
      for (const { interface: name, address } of announcements) {
        const found = interfaces.get(name)
        if (found !== undefined) arp.send(found.index, encodeGratuitousArp({ mac: found.mac, address }))
      }
    },
    publish: options.publish,
  }
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
