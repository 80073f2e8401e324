/**
 * What the VRRP process takes of the machine beside addresses: devices with virtual MAC addresses, and settings of
 * interfaces. All of it is given back at the end; what a killed process had is found by the next one.
 */
import { openVirtualMacs, type VirtualMac, type VirtualMacs } from './linux/macvlan.ts'
import { openNetlinkSocket } from './linux/netlink-socket.ts'
import { openSysctls, promoteSecondaries } from './linux/sysctls.ts'
import { allAddresses, type VirtualRouter } from './vrrp/router.ts'
import { familyOf, virtualMacOf } from './wire/address.ts'

export type Machine = {
  readonly virtualMacs: VirtualMacs
  /** Makes sure that these interfaces keep the addresses of a network when one of them goes; what was not possible. */
  readonly keepSiblings: (interfaces: readonly string[]) => string[]
  /**
   * These routers from now on. `held`: names of those whose addresses a process that has just crashed left installed.
   * Returns what could not be set; throws a SystemError where a device cannot be made.
   */
  readonly carry: (routers: readonly VirtualRouter[], held?: ReadonlySet<string>) => string[]
  /** Returns what could not be put back. */
  readonly release: () => string[]
}

/** `record`: the file beside the agent's socket that says what is to be put back; it also names our devices as ours. */
export function openMachine(record: string): Machine {
  const sysctls = openSysctls({ file: record })
  const request = openNetlinkSocket(0)
  const virtualMacs = openVirtualMacs({ request, sysctls, owner: record })
  return {
    virtualMacs,
    keepSiblings: (names) => sysctls.want('addresses', promoteSecondaries(names)),
    carry(routers, held = new Set()) {
      const wanted = routers.filter(({ virtualMac }) => virtualMac)
      const inUse = wanted.filter(({ name }) => held.has(name))
      return virtualMacs.ensure(wanted.map(virtualMacFor), inUse.map(virtualMacFor))
    },
    release() {
      virtualMacs.close()
      request.close()
      return sysctls.restore()
    },
  }
}

function virtualMacFor(router: VirtualRouter): VirtualMac {
  const ipv6 = allAddresses(router).some(({ address }) => familyOf(address) === 'ipv6')
  return { interface: router.interface, mac: virtualMacOf(router.family, router.vrid), ipv6 }
}
