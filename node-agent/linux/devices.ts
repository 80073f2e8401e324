/** Which device of the machine a `Place` is: an interface itself, or the device on it that has a virtual router's MAC. */
import type { Place } from '../vrrp/datagrams.ts'
import { formatMac } from '../wire/address.ts'
import type { Interface, Interfaces, NamedLink } from './interfaces.ts'

export type Device = { readonly index: number; readonly mac: Uint8Array }

/** Undefined while there is no such device. */
export type DeviceOf = (place: Place) => Device | undefined

/** Looks for devices in the table of interfaces, so that whoever makes one need not tell. */
export function findDevices(interfaces: Interfaces): DeviceOf {
  return ({ interface: name, mac }) => {
    const parent = interfaces.get(name)
    if (parent === undefined || mac === null) return parent
    const wanted = formatMac(mac)
    for (const device of interfaces.all()) {
      if (device.parent === parent.index && isVirtual(device) && formatMac(device.mac) === wanted) return device
    }
    return undefined
  }
}

/** The interfaces that carry a place of `name`: itself, and the virtual routers' devices on it. */
export function devicesOn(
  interfaces: Interfaces,
  name: string,
): { readonly mac: Uint8Array | null; device: Interface }[] {
  const parent = interfaces.get(name)
  if (parent === undefined) return []
  const virtual = [...interfaces.all()].filter((device) => device.parent === parent.index && isVirtual(device))
  return [{ mac: null, device: parent }, ...virtual.map((device) => ({ mac: device.mac, device }))]
}

/** Whether it has one of the MAC addresses of RFC 9568 §7.3: 00:00:5e:00:01 or 02, and the VRID. */
export function isVirtual({ mac }: Pick<NamedLink, 'mac'>): boolean {
  const [a, b, c, d, family] = mac
  return mac.length === 6 && a === 0 && b === 0 && c === 0x5e && d === 0 && (family === 1 || family === 2)
}
