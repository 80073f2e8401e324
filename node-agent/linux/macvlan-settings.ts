/**
 * What Linux must be told so that one of an interface's two MAC addresses answers, and not both (measured by
 * test/lab/virtual-mac.test.ts on the kernel at hand).
 *
 * - The interface answers ARP only for addresses that it has itself, and so does the device (arp_ignore=1).
 * - The interface asks by ARP only in the name of such an address (arp_announce=2): it would otherwise ask in the name of
 *   the virtual address that it answers for, and the host that is asked would learn the interface's MAC address for it.
 * - What comes in by the device leaves by the interface, which strict reverse path filtering (1) takes for forged.
 *   The kernel applies the larger of `all` and the device's own value, so the device's own loose filtering (2) is
 *   enough. keepalived sets `all` to 0 instead, for the whole machine.
 * - IPv6 on the device is off unless it is needed, and then makes no address, asks for no router and doubts no address:
 *   each of these would send a frame from the virtual MAC address before the router is active.
 *
 * ICMP redirects need nothing: the kernel sends them only for what leaves by the interface it came in by.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Setting } from './sysctls.ts'

/** Put back in the end. */
export function settingsOfInterface(interfaces: readonly string[]): Setting[] {
  return interfaces.flatMap((name): Setting[] => [
    { family: 'ipv4', interface: name, key: 'arp_ignore', value: 1 },
    { family: 'ipv4', interface: name, key: 'arp_announce', value: 2 },
  ])
}

/** Before it first comes up. These go with the device, so that nothing is to be put back. */
export function settleDevice(device: {
  readonly name: string
  readonly interface: string
  readonly ipv6: boolean
}): void {
  const ipv4 = `/proc/sys/net/ipv4/conf/${device.name}`
  const ipv6 = `/proc/sys/net/ipv6/conf/${device.name}`
  set(`${ipv4}/arp_ignore`, '1')
  set(`${ipv4}/arp_announce`, '2')
  set(`${ipv4}/rp_filter`, '2')
  // An advertisement with our own source address is to be counted, not dropped unseen.
  set(`${ipv4}/accept_local`, '1')
  set(`${ipv4}/forwarding`, get(`/proc/sys/net/ipv4/conf/${device.interface}/forwarding`))
  set(`${ipv6}/addr_gen_mode`, '1')
  for (const key of [
    'accept_dad',
    'dad_transmits',
    'accept_ra',
    'autoconf',
    'router_solicitations',
    'keep_addr_on_down',
  ]) {
    set(`${ipv6}/${key}`, '0')
  }
  set(`${ipv6}/disable_ipv6`, device.ipv6 ? '0' : '1')
}

function get(path: string): string {
  return readFileSync(path, 'utf8').trim()
}

/** A machine without IPv6 has no such files. */
function set(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: 'r+' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
