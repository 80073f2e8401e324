/**
 * Devices that have a virtual router's own MAC address (RFC 9568 §7.3): a private macvlan on the router's interface.
 *
 *   backup   device down, without addresses: no frame leaves from it, and none to it is taken or forwarded
 *   active   device up, with the virtual addresses: ARP and ND are answered from the virtual MAC address
 *
 * A device is called `hf<4|6>-<VRID>-<index of its interface, in base 36>`, such as `hf4-51-2`: at most 15 characters,
 * and one for each virtual router that a machine can have. Its alias says whose it is, so that the next process knows
 * what a killed one left behind, and lets other agents' devices alone.
 *
 * While its device is up, the interface itself does not hear what comes from the very same MAC address, which is what
 * a rival sends. So a socket listens on each device too (rival-sockets.ts).
 */
import type { AddressChange } from '../ports.ts'
import { type Address, formatAddress, sameAddress } from '../wire/address.ts'
import {
  decodeMacvlan,
  encodeAlias,
  encodeCreateMacvlan,
  encodeDeleteLink,
  encodeSetUp,
  type Macvlan,
} from '../wire/link.ts'
import { encodeDump, RTM_GETLINK } from '../wire/rtnetlink.ts'
import { errno } from './constants.ts'
import type { InterfaceChange, Interfaces } from './interfaces.ts'
import { interfaceIndex, SystemError } from './libc.ts'
import { settingsOfInterface, settleDevice } from './macvlan-settings.ts'
import type { NetlinkSocket } from './netlink-socket.ts'
import type { Sysctls } from './sysctls.ts'

/** An interface on which a virtual router has its own MAC address. */
export type VirtualMac = {
  readonly interface: string
  /** One of RFC 9568 §7.3. */
  readonly mac: Uint8Array
  /** Some of the router's addresses are IPv6. */
  readonly ipv6: boolean
}

export type Device = VirtualMac & { readonly name: string; readonly index: number }

type Place = Pick<AddressChange, 'interface' | 'mac'>

/** A netlink message that still needs its sequence number. */
export type LinkMessage = (sequence: number) => Uint8Array

export type VirtualMacs = {
  /**
   * Makes what is missing and removes what is too much; it may be called again with others. A device that a killed
   * process left is made anew, unless it is in `held`: then it stays as it is, with its addresses.
   * Returns what could not be set; throws where a device cannot be made.
   */
  readonly ensure: (wanted: readonly VirtualMac[], held?: readonly VirtualMac[]) => string[]
  /** Undefined where `mac` is null, or while its interface is gone. */
  readonly deviceOf: (place: Place) => Device | undefined
  /**
   * What the batch of these changes begins with: devices that get their first address come up before it, those that
   * lose their last go down before they do, so that nothing is said of the loss from the virtual MAC address.
   */
  readonly before: (changes: readonly AddressChange[]) => LinkMessage[]
  /** Every device, up or down: on each there is to be a socket all the time. */
  readonly listen: () => readonly Device[]
  /**
   * What changes of any interface mean for the devices: those that are gone are made anew, and the addresses that they
   * had, or that somebody took off or hid by taking the device down, are told as lost.
   */
  readonly heed: (changes: readonly InterfaceChange[], interfaces: Pick<Interfaces, 'get'>) => Heeded
  /** Removes every device, and puts back what was set for them. */
  readonly close: () => void
}

/** `lost`: addresses of virtual routers that an interface no longer answers for. */
export type Heeded = {
  readonly lost: readonly { readonly interface: string; readonly address: Address }[]
  readonly said: readonly string[]
}

type Known = Device & {
  readonly parent: number
  /** The addresses it has by our will. */
  readonly addresses: Map<string, Address>
}

type Work = {
  readonly request: NetlinkSocket
  readonly sysctls: Sysctls
  readonly alias: string
  wanted: readonly VirtualMac[]
  /** By place. */
  readonly devices: Map<string, Known>
}

export function openVirtualMacs(options: {
  readonly request: NetlinkSocket
  readonly sysctls: Sysctls
  /** Tells this agent from every other on the machine, as the path of its socket does. */
  readonly owner: string
}): VirtualMacs {
  const work: Work = { ...options, alias: `holdfast ${options.owner}`, wanted: [], devices: new Map() }
  const deviceOf = ({ interface: name, mac }: Place): Known | undefined =>
    mac === null ? undefined : work.devices.get(keyOf({ interface: name, mac }))
  return {
    ensure(wanted, held = []) {
      work.wanted = wanted
      return ensure(work, new Set(held.map(keyOf)))
    },
    deviceOf,
    before: (changes) => linkMessages(changes, deviceOf),
    listen: () => [...work.devices.values()],
    heed: (changes, interfaces) => heed(work, changes, interfaces),
    close() {
      work.wanted = []
      ensure(work, new Set())
    },
  }
}

function ensure(work: Work, held: ReadonlySet<string>): string[] {
  const { request, alias, devices } = work
  // While others take the place of routers, the same one may be named twice.
  const wanted = [...new Map(work.wanted.map((each) => [keyOf(each), each])).values()].flatMap((each) => {
    const parent = interfaceIndex(each.interface)
    return parent === undefined ? [] : [{ ...each, parent, name: nameOf(each.mac, parent) }]
  })
  const there = list(request)
  const keep = wanted.flatMap((each) => {
    const found = there.find((link) => link.name === each.name && isAs(link, { ...each, alias }))
    const ours = found !== undefined && (devices.get(keyOf(each))?.index === found.index || held.has(keyOf(each)))
    return ours ? [{ ...each, index: found.index }] : []
  })
  const kept = new Set(keep.map(({ index }) => index))
  const tooMuch = there.filter((link) => link.alias === alias && !kept.has(link.index))
  request.batch(
    tooMuch.map(
      ({ index }) =>
        (sequence) =>
          encodeDeleteLink(index, sequence),
    ),
  )
  const missing = wanted.filter(({ name }) => !keep.some((other) => other.name === name))
  const made = make(work, missing)

  for (const each of keep) if (devices.get(keyOf(each))?.ipv6 !== each.ipv6) settleDevice(each)
  const before = new Map(devices)
  devices.clear()
  for (const each of [...keep, ...made]) {
    const same = before.get(keyOf(each))?.index === each.index ? before.get(keyOf(each)) : undefined
    devices.set(keyOf(each), { ...each, addresses: same?.addresses ?? new Map() })
  }
  return work.sysctls.want(
    'virtual MAC',
    settingsOfInterface([...new Set(keep.concat(made).map((each) => each.interface))]),
  )
}

type Planned = VirtualMac & { readonly parent: number; readonly name: string }

function make({ request, alias }: Work, missing: readonly Planned[]): (Planned & { readonly index: number })[] {
  const results = request.batch(
    missing.flatMap((each): LinkMessage[] => [
      (sequence) => encodeCreateMacvlan(each, sequence),
      (sequence) => encodeAlias({ name: each.name, alias }, sequence),
    ]),
  )
  return missing.flatMap((each, i) => {
    const result = results[2 * i]!
    // The interface went while we looked; when it comes back there will be another change to heed.
    if (result === errno.ENODEV) return []
    if (result !== 0)
      throw new SystemError(`make the device ${each.name} for a virtual MAC address on ${each.interface}`, result)
    const index = interfaceIndex(each.name)
    if (index === undefined) return []
    settleDevice(each)
    return [{ ...each, index }]
  })
}

function linkMessages(changes: readonly AddressChange[], deviceOf: (place: Place) => Known | undefined): LinkMessage[] {
  const touched = new Set<Known>()
  const raised = new Set<Known>()
  for (const { kind, prefix, ...place } of changes) {
    const device = place.mac === null ? undefined : deviceOf(place)
    if (device === undefined) continue
    touched.add(device)
    const key = formatAddress(prefix.address)
    if (kind === 'delete') device.addresses.delete(key)
    else {
      device.addresses.set(key, prefix.address)
      raised.add(device)
    }
  }
  return [...touched].flatMap((device): LinkMessage[] => {
    const up = device.addresses.size > 0
    // That it is up already is no reason to spare the word: somebody else may have taken it down.
    return up && !raised.has(device) ? [] : [(sequence) => encodeSetUp(device.index, up, sequence)]
  })
}

function heed(work: Work, changes: readonly InterfaceChange[], { get }: Pick<Interfaces, 'get'>): Heeded {
  if (work.wanted.length === 0) return { lost: [], said: [] }
  const names = new Set(changes.map(({ name }) => name))
  const concerned = [...work.devices.values()].filter((each) => names.has(each.name) || names.has(each.interface))
  const gone = concerned.filter(
    (each) => get(each.interface)?.index !== each.parent || get(each.name)?.index !== each.index,
  )
  const missing = work.wanted.some((each) => names.has(each.interface) && !work.devices.has(keyOf(each)))
  const down = concerned.filter((each) => each.addresses.size > 0 && get(each.name)?.up === false)
  const takenDown = down.length === 0 ? [] : whichAreDown(work, down)
  const said = missing || gone.length > 0 ? attempt(() => ensure(work, new Set())) : []
  const whole = new Set([...gone, ...takenDown])
  const together = [...whole].flatMap((device) =>
    [...device.addresses.values()].map((address) => ({ interface: device.interface, address })),
  )
  const stolen = changes.flatMap((change) => {
    if (change.kind !== 'address-removed') return []
    const device = concerned.find(({ name }) => name === change.name)
    if (device === undefined || whole.has(device) || !device.addresses.has(formatAddress(change.address))) return []
    return [{ interface: device.interface, address: change.address }]
  })
  return { lost: [...together, ...stolen], said }
}

/** The table's `up` is a carrier too, which comes a moment after we have set a device up. */
function whichAreDown({ request }: Work, devices: readonly Known[]): Known[] {
  const links = list(request)
  return devices.filter(({ index }) => links.some((link) => link.index === index && !link.up))
}

function attempt(call: () => string[]): string[] {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    return [error.message]
  }
}

function list(request: NetlinkSocket): Macvlan[] {
  const links = request.dump((sequence) => encodeDump(RTM_GETLINK, sequence))
  return links.map(decodeMacvlan).filter((link) => link !== undefined)
}

/** Its name says on which interface; its parent may be another, since a macvlan on a macvlan lies on the lower one. */
function isAs(link: Macvlan, { mac, alias }: Pick<Macvlan, 'mac' | 'alias'>): boolean {
  return link.private && link.alias === alias && sameAddress(link.mac, mac)
}

/** The last two octets of a virtual MAC address are its family and its VRID. */
function nameOf(mac: Uint8Array, parent: number): string {
  return `hf${mac[4] === 1 ? 4 : 6}-${mac[5]}-${parent.toString(36)}`
}

function keyOf({ interface: name, mac }: Pick<VirtualMac, 'interface' | 'mac'>): string {
  return `${name} ${mac[4]} ${mac[5]}`
}
