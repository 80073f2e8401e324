/**
 * What this machine's kernel does with a macvlan beside its interface, without any program of ours: the facts A-20 to
 * A-28 on which `linux/macvlan.ts` and `linux/macvlan-settings.ts` stand. Where one fails, a kernel has changed.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Lab } from '../../infra/lab/topology.ts'
import { encodeIpv4 } from '../../node-agent/wire/ipv4.ts'
import { encodeAdvertisement, vrrpMulticastGroup, vrrpProtocol } from '../../node-agent/wire/vrrp.ts'
import { labFor, until } from '../support/agents.ts'
import { arpIn, arpRequest, echoRequest, etherTypes, type Frames, frame, startFrames } from '../support/frames.ts'
import { lab } from '../support/lab.ts'
import { vip, virtualMac } from '../support/mac-router.ts'
import { describeWith } from '../support/peers.ts'
import { address } from '../support/routers.ts'

const host = { mac: '02:77:ff:00:00:02', address: '10.77.0.90' }
const own = '10.77.0.1'

type Setup = { readonly made: Lab; readonly frames: Frames; readonly physical: string }

async function setUp(mode: string, ...commands: readonly string[]): Promise<Setup> {
  const made = await labFor({ nodes: ['n1'] })
  const frames = await startFrames(made, 'client')
  const add = `link add vmac link eth0 address ${virtualMac} type macvlan mode ${mode}`
  await made.run('ip', ['-n', 'n1', '-batch', '-'], { input: [add, ...commands].join('\n') })
  const { stdout } = await made.run('cat', ['/sys/class/net/eth0/address'], { in: 'n1' })
  return { made, frames, physical: stdout.trim() }
}

async function set(made: Lab, ...settings: readonly string[]): Promise<void> {
  const lines = settings.map((each) => each.replace(/^(\S+)=(\d+)$/, 'echo $2 >/proc/sys/net/$1'))
  await made.run('sh', ['-se'], { in: 'n1', input: lines.join('\n') })
}

/** The MAC addresses that answer for `target`, sorted. */
async function answersTo(frames: Frames, target: string): Promise<string[]> {
  frames.send(arpRequest(host, target))
  const seen = await frames.during(300)
  const replies = seen.map(arpIn).filter((arp) => arp?.operation === 'reply' && arp.sender === target)
  return replies.map((arp) => arp!.senderMac).sort()
}

function advertisementFrom(mac: string): Uint8Array {
  const envelope = { source: address('10.77.0.200'), destination: vrrpMulticastGroup }
  const message = { version: 3 as const, vrid: 51, priority: 100, maxAdvertiseInterval: 100, addresses: [address(vip)] }
  const payload = encodeAdvertisement(message, envelope, 'rfc9568')
  const datagram = encodeIpv4({ ...envelope, ttl: 255, protocol: vrrpProtocol, payload })
  return frame('01:00:5e:00:00:12', mac, etherTypes.ipv4, datagram)
}

const up = ['link set vmac addrgenmode none', 'link set vmac up'] as const
const active = [...up, `addr add ${vip}/32 dev vmac`] as const

describeWith(lab, 'the kernel, with a macvlan on an interface', () => {
  test.each([
    { id: 'A-20', mode: 'private', commands: active, own: ['device'], other: ['device', 'interface'] },
    { id: 'A-21', mode: 'bridge', commands: active, own: ['interface'], other: ['device', 'interface'] },
    { id: 'A-21', mode: 'private', commands: [], own: ['interface'], other: ['interface'] },
  ])('$id: mode $mode, $commands.length commands: from its own address $own, from another $other', async (fact) => {
    const { made, frames } = await setUp(fact.mode, ...fact.commands)
    let heard: string[] = []
    await made.spawn(process.execPath, [join(import.meta.dirname, '../support/vrrp-ears-main.ts'), 'vmac'], {
      in: 'n1',
      onLine: (line) => void heard.push(line),
    })
    await until(() => heard.includes('ready'), 'the sockets are open')
    for (const [mac, expected] of [
      [virtualMac, fact.own],
      ['02:77:ff:00:00:03', fact.other],
    ] as const) {
      heard = []
      frames.send(advertisementFrom(mac))
      await frames.during(300)
      expect({ mac, heard: heard.sort() }).toEqual({ mac, heard: expected })
    }
  })

  test('A-23 to A-26: who answers ARP, by the settings', async () => {
    const { made, frames, physical } = await setUp('private', ...active)
    const answers = async () => ({ vip: await answersTo(frames, vip), own: await answersTo(frames, own) })
    const both = [virtualMac, physical].sort()
    expect(await answers()).toEqual({ vip: both, own: both })

    await set(made, 'ipv4/conf/eth0/arp_ignore=1')
    expect((await answers()).vip).toEqual([virtualMac])

    await set(made, 'ipv4/conf/vmac/arp_ignore=1')
    expect(await answers()).toEqual({ vip: [virtualMac], own: [physical] })

    await set(made, 'ipv4/conf/all/rp_filter=1')
    expect(await answers()).toEqual({ vip: [], own: [physical] })

    // What keepalived clears `all` for, the device's own larger value does as well.
    await set(made, 'ipv4/conf/vmac/rp_filter=2')
    expect(await answers()).toEqual({ vip: [virtualMac], own: [physical] })
  })

  test('A-08, A-27: up without an address it forwards, without a redirect; down it does not', async () => {
    const { made, frames, physical } = await setUp('private', ...up)
    await set(made, 'ipv4/ip_forward=1')
    const commands = [
      `neigh replace ${host.address} lladdr ${host.mac} dev eth0`,
      `route add 10.99.0.0/24 via ${host.address}`,
    ]
    await made.run('ip', ['-n', 'n1', '-batch', '-'], { input: commands.join('\n') })
    const forward = async (to: string) => {
      frames.send(echoRequest({ to, from: '02:77:ff:00:00:03', source: '10.77.0.200', destination: '10.99.0.1' }))
      const sent = (await frames.during(300)).filter(({ from, type }) => from === physical && type === etherTypes.ipv4)
      const isRedirect = (body: Uint8Array): boolean => body[9] === 1 && body[20] === 5
      return {
        forwarded: sent.filter(({ body }) => body.subarray(16, 20).join('.') === '10.99.0.1').length,
        redirects: sent.filter(({ body }) => isRedirect(body)).length,
      }
    }
    // A host that redirects are for must be known, or it is asked for first.
    await made.run('ip', ['-n', 'n1', 'neigh', 'replace', '10.77.0.200', 'lladdr', '02:77:ff:00:00:03', 'dev', 'eth0'])
    expect(await forward(virtualMac)).toEqual({ forwarded: 1, redirects: 0 })
    // The same by the interface: there the kernel would rather be asked no more.
    expect(await forward(physical)).toEqual({ forwarded: 1, redirects: 1 })
    await made.run('ip', ['-n', 'n1', 'link', 'set', 'vmac', 'down'])
    expect(await forward(virtualMac)).toEqual({ forwarded: 0, redirects: 0 })
  })

  test('A-28: with addrgenmode eui64 it speaks as soon as it is up; without IPv6 never', async () => {
    const { made, frames } = await setUp('private')
    const speaks = async (): Promise<boolean> => {
      await made.run('ip', ['-n', 'n1', 'link', 'set', 'vmac', 'up'])
      const seen = await frames.during(1_500)
      await made.run('ip', ['-n', 'n1', 'link', 'set', 'vmac', 'down'])
      return seen.some(({ from }) => from === virtualMac)
    }
    await set(made, 'ipv6/conf/vmac/addr_gen_mode=0')
    expect(await speaks()).toBe(true)
    await set(made, 'ipv6/conf/vmac/addr_gen_mode=1', 'ipv6/conf/vmac/disable_ipv6=1')
    expect(await speaks()).toBe(false)
  })
})
