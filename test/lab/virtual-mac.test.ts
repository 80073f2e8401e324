/** Routers with a virtual MAC address on the wire: who answers ARP, from where frames leave, and what is put back. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { RouterProcess } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'
import type { Centiseconds } from '../../node-agent/vrrp/time.ts'
import { encodeIpv4 } from '../../node-agent/wire/ipv4.ts'
import { encodeAdvertisement, vrrpMulticastGroup, vrrpProtocol } from '../../node-agent/wire/vrrp.ts'
import { labFor, startWeb, until } from '../support/agents.ts'
import {
  arpIn,
  arpRequest,
  echoRequest,
  etherTypes,
  type Frames,
  frame,
  type RawFrame,
  startFrames,
} from '../support/frames.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { macRouter, startMacRouters, vip, virtualMac } from '../support/mac-router.ts'
import { describeWith } from '../support/peers.ts'
import { address } from '../support/routers.ts'

/** A host that exists only in frames, so that no kernel answers or asks in its name. */
const host = { mac: '02:77:ff:00:00:02', address: '10.77.0.90' }
const rival = { mac: '02:77:ff:00:00:03', address: '10.77.0.200' }
const groupMac = '01:00:5e:00:00:12'

type Setup = { readonly made: Lab; readonly frames: Frames; readonly physical: string }

async function setUp(): Promise<Setup> {
  const made = await labFor({ nodes: ['n1'] })
  const frames = await startFrames(made, 'client')
  const { stdout } = await made.run('ip', ['-n', 'n1', '-j', 'link', 'show', 'eth0'])
  return { made, frames, physical: (JSON.parse(stdout) as { address: string }[])[0]!.address }
}

async function activeRouter(made: Lab, changes: Partial<VirtualRouter> = {}): Promise<RouterProcess> {
  const router = await startMacRouters(made, 'n1', [macRouter(changes)])
  await router.untilState('active')
  return router
}

/** Who answers for `target`: the Ethernet source and the sender's MAC address of each reply. */
async function answersTo(frames: Frames, target: string): Promise<string[]> {
  frames.send(arpRequest(host, target))
  const seen = await frames.during(200)
  return seen.flatMap((each) => {
    const arp = arpIn(each)
    if (arp?.operation !== 'reply' || each.to !== host.mac || arp.sender !== target) return []
    return [each.from === arp.senderMac ? each.from : `${each.from} says ${arp.senderMac}`]
  })
}

function advertisementFrame(
  from: string,
  fields: { priority: number; source?: string; interval?: number },
): Uint8Array {
  const { priority, source = rival.address, interval = 10 } = fields
  const envelope = { source: address(source), destination: vrrpMulticastGroup }
  const message = { version: 3 as const, vrid: 51, priority, maxAdvertiseInterval: interval, addresses: [address(vip)] }
  const payload = encodeAdvertisement(message, envelope, 'rfc9568')
  return frame(groupMac, from, etherTypes.ipv4, encodeIpv4({ ...envelope, ttl: 255, protocol: vrrpProtocol, payload }))
}

/** An active router that exists only in frames, until the test is finished or it is silenced. */
function startRival(frames: Frames, from = rival.mac): { silence(): void } {
  const advertise = (): void => frames.send(advertisementFrame(from, { priority: 250 }))
  advertise()
  const timer = setInterval(advertise, 100)
  onTestFinished(() => clearInterval(timer))
  return { silence: () => clearInterval(timer) }
}

const isAdvertisement = (each: RawFrame): boolean => each.type === etherTypes.ipv4 && each.body[9] === vrrpProtocol
const isFromN1 = (each: RawFrame): boolean =>
  isAdvertisement(each) && each.body.subarray(12, 16).join('.') === '10.77.0.1'
const isFromVirtualMac = ({ from }: RawFrame): boolean => from === virtualMac

type LinkJson = { ifname: string; address: string; flags: string[]; ifalias?: string; addr_info: { local: string }[] }

/** n1's devices with a virtual MAC address, such as `hf4-51-2 up 10.77.0.50`. */
async function devicesOf(made: Lab): Promise<string[]> {
  const { stdout } = await made.run('ip', ['-n', 'n1', '-j', 'addr'])
  return (JSON.parse(stdout) as LinkJson[])
    .filter((link) => link.address?.startsWith('00:00:5e:00:0'))
    .map((link) => {
      const addresses = link.addr_info.map(({ local }) => local)
      return [link.ifname.replace(/-[0-9a-z]+$/, ''), link.flags.includes('UP') ? 'up' : 'down', ...addresses].join(' ')
    })
}

async function sysctl(made: Lab, ...keys: readonly string[]): Promise<string[]> {
  const files = keys.map((key) => `/proc/sys/net/ipv4/conf/${key}`)
  const { stdout } = await made.run('cat', files, { in: 'n1' })
  return stdout.trim().split('\n')
}

async function setSysctl(made: Lab, key: string, value: number): Promise<void> {
  await made.run('sh', ['-c', `echo ${value} >/proc/sys/net/ipv4/${key}`], { in: 'n1' })
}

/** The network behind the host that n1 routes to, by frames whose next hop is that host. */
async function routeBehindHost(made: Lab): Promise<string> {
  await setSysctl(made, 'ip_forward', 1)
  await made.run('ip', ['-n', 'n1', 'neigh', 'replace', host.address, 'lladdr', host.mac, 'dev', 'eth0'])
  await made.run('ip', ['-n', 'n1', 'route', 'add', '10.99.0.0/24', 'via', host.address])
  return '10.99.0.1'
}

const isTo = (destination: string) => (each: RawFrame) =>
  each.type === etherTypes.ipv4 && each.body.subarray(16, 20).join('.') === destination

/** What n1 has sent for `destination`, and redirects, of the frames seen. */
function forwarded(seen: readonly RawFrame[], destination: string, physical: string) {
  const ours = seen.filter(({ from }) => from === physical || from === virtualMac)
  const isRedirect = (each: RawFrame): boolean =>
    each.type === etherTypes.ipv4 && each.body[9] === 1 && each.body[20] === 5
  return { forwarded: ours.filter(isTo(destination)).length, redirects: ours.filter(isRedirect).length }
}

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'a virtual MAC address', () => {
  test('T-46, A-01, A-03: active, it alone answers for the virtual address, once; the interface for its own', async () => {
    const { made, frames, physical } = await setUp()
    const router = await activeRouter(made)
    for (let i = 0; i < 5; i += 1) {
      expect(await answersTo(frames, vip)).toEqual([virtualMac])
      expect(await answersTo(frames, '10.77.0.1')).toEqual([physical])
    }
    expect(await router.stop()).toBe(0)
    expect(await answersTo(frames, vip)).toEqual([])
    expect(await devicesOf(made)).toEqual([])
  })

  test('A-26: so it is where reverse paths are filtered strictly, which stays as it is', async () => {
    const { made, frames } = await setUp()
    await setSysctl(made, 'conf/all/rp_filter', 1)
    await activeRouter(made)
    expect(await answersTo(frames, vip)).toEqual([virtualMac])
    expect(await sysctl(made, 'all/rp_filter')).toEqual(['1'])
  })

  test('T-47, A-02, A-03: backup, it answers nobody, and the interface only for its own address', async () => {
    const { made, frames, physical } = await setUp()
    startRival(frames)
    const router = await startMacRouters(made, 'n1', [macRouter()])
    await router.untilState('backup')
    await until(async () => (await devicesOf(made)).includes('hf4-51 down'), 'the device is there')
    expect(await answersTo(frames, vip)).toEqual([])
    expect(await answersTo(frames, '10.77.0.1')).toEqual([physical])
  })

  test('T-48, A-10, P-07: advertisement, then gratuitous ARP, both from it', async () => {
    const { made, frames } = await setUp()
    await activeRouter(made)
    const first = await frames.until(isFromN1, 'an advertisement')
    const arp = await frames.until((each) => arpIn(each)?.target === vip, 'a gratuitous ARP')
    expect(arpIn(arp)).toEqual({ operation: 'request', senderMac: virtualMac, sender: vip, target: vip })
    expect([first.from, arp.from]).toEqual([virtualMac, virtualMac])
    expect(frames.seen.indexOf(first)).toBeLessThan(frames.seen.indexOf(arp))
  })

  test('T-51, A-02: backup, no frame leaves from it, whatever happens to the cable; nor once it has yielded', async () => {
    const { made, frames } = await setUp()
    const { silence } = startRival(frames)
    const router = await startMacRouters(made, 'n1', [macRouter()])
    await router.untilState('backup')
    await frames.during(1_000)
    await made.run('ip', ['-n', 'n1', 'link', 'set', 'eth0', 'down'])
    await made.run('ip', ['-n', 'n1', 'link', 'set', 'eth0', 'up'])
    await made.cableOut('n1')
    await made.cableIn('n1')
    await frames.during(2_000)
    expect(frames.seen.filter(isFromVirtualMac)).toEqual([])
    silence()
    await router.untilState('active')
    await frames.until(isFromVirtualMac, 'a frame of the active router')
    startRival(frames)
    await router.untilState('backup')
    const after = await frames.during(3_000)
    expect(after.filter(isFromVirtualMac)).toEqual([])
  })

  test('T-22, D6: a rival with the very same MAC address is heard while the device is up', async () => {
    const { made, frames } = await setUp()
    const router = await activeRouter(made)
    startRival(frames, virtualMac)
    await router.untilState('backup')
    await until(async () => (await devicesOf(made)).includes('hf4-51 down'), 'the device is down')
    // Whom it hears now by the interface, as the device is down.
    await frames.during(1_000)
    expect(router.state()).toBe('backup')
  })

  test('T-52, R-21, D6: a lower advertisement is answered once, from whichever MAC address it comes', async () => {
    const { made, frames } = await setUp()
    await activeRouter(made, { priority: 254, advertisementInterval: 100 as Centiseconds })
    for (const from of [rival.mac, virtualMac, rival.mac, virtualMac]) {
      await frames.until(isFromN1, 'the next advertisement', frames.seen.length)
      // Apart from replies that are due to the one before, and from the next in a second.
      await frames.during(200)
      frames.send(advertisementFrame(from, { priority: 50, interval: 100 }))
      const replies = (await frames.during(500)).filter(isFromN1)
      expect({ from, replies: replies.length }).toEqual({ from, replies: 1 })
    }
  })

  test('T-53, A-04, A-05, A-08: what is sent to it the active router forwards, and the backup does not; nobody is redirected', async () => {
    const { made, frames, physical } = await setUp()
    const destination = await routeBehindHost(made)
    const { silence } = startRival(frames)
    const router = await startMacRouters(made, 'n1', [macRouter()])
    await router.untilState('backup')
    const sent = echoRequest({ to: virtualMac, from: rival.mac, source: rival.address, destination })
    const send = async () => {
      frames.send(sent)
      return forwarded(await frames.during(300), destination, physical)
    }
    expect(await send()).toEqual({ forwarded: 0, redirects: 0 })
    silence()
    await router.untilState('active')
    expect(await send()).toEqual({ forwarded: 1, redirects: 0 })
  })

  test('T-55, A-07: what is for the virtual address is never forwarded', async () => {
    const { made, frames, physical } = await setUp()
    await routeBehindHost(made)
    await activeRouter(made)
    frames.send(echoRequest({ to: virtualMac, from: rival.mac, source: rival.address, destination: vip }))
    expect(forwarded(await frames.during(300), vip, physical)).toEqual({ forwarded: 0, redirects: 0 })
  })

  test('the active router asks by ARP in its own name: no host learns the virtual address at the interface', async () => {
    const { made, frames, physical } = await setUp()
    await activeRouter(made)
    frames.send(echoRequest({ to: virtualMac, from: host.mac, source: host.address, destination: vip }))
    const asked = await frames.until((each) => arpIn(each)?.target === host.address, 'it asks for the host')
    expect(arpIn(asked)).toMatchObject({ senderMac: physical, sender: '10.77.0.1' })
  })
})

describeWith(timedLab, 'what is taken of the machine for a virtual MAC address', () => {
  const parent = ['eth0/arp_ignore', 'eth0/arp_announce']

  test('SIGKILL, start, stop: settings as they were at the very first, and no device', async () => {
    const { made } = await setUp()
    await setSysctl(made, 'conf/eth0/arp_announce', 1)
    const first = await activeRouter(made)
    expect(await sysctl(made, ...parent)).toEqual(['1', '2'])
    await first.kill()
    expect(await devicesOf(made)).toEqual([`hf4-51 up ${vip}`])
    // Backup for seconds, so that there is time to look.
    const second = await startMacRouters(made, 'n1', [macRouter({ advertisementInterval: 100 as Centiseconds })])
    await second.untilState('backup')
    // Of the killed one nothing answers any more.
    expect(await devicesOf(made)).toEqual(['hf4-51 down'])
    await second.untilState('active')
    expect(await devicesOf(made)).toEqual([`hf4-51 up ${vip}`])
    await second.kill()
    const third = await startMacRouters(made, 'n1', [macRouter()])
    await third.untilState('active')
    expect(await third.stop()).toBe(0)
    expect(await sysctl(made, ...parent)).toEqual(['0', '1'])
    expect(await devicesOf(made)).toEqual([])
    expect(existsSync(join(made.folder, 'n1.sock.sysctls'))).toBe(false)
  })

  test('SIGKILL, start without a virtual MAC address: all is put back at once', async () => {
    const { made } = await setUp()
    const first = await activeRouter(made)
    await first.kill()
    const second = await startMacRouters(made, 'n1', [macRouter({ virtualMac: false })])
    await second.untilState('active')
    expect(await sysctl(made, ...parent)).toEqual(['0', '0'])
    expect(await devicesOf(made)).toEqual([])
    await second.stop()
  })

  test('a device that somebody deletes or takes down is there again at once, with its address', async () => {
    const { made, frames } = await setUp()
    await activeRouter(made)
    const { stdout } = await made.run('ip', ['-n', 'n1', '-br', 'link', 'show', 'type', 'macvlan'])
    const name = stdout.split('@')[0]!
    for (const harm of [
      ['set', name, 'down'],
      ['del', name],
      ['set', name, 'down'],
    ]) {
      await made.run('ip', ['-n', 'n1', 'link', ...harm])
      await until(
        async () => (await devicesOf(made)).includes(`hf4-51 up ${vip}`),
        `it is back after ${harm.join(' ')}`,
      )
      expect(await answersTo(frames, vip)).toEqual([virtualMac])
    }
  })

  test('an interface that is deleted and made anew has its device again', async () => {
    const { made } = await setUp()
    const make = async (): Promise<void> => {
      const commands = ['link add lan0 type veth peer name lan1', 'link set lan1 up', 'link set lan0 up']
      await made.run('ip', ['-n', 'n1', '-batch', '-'], {
        input: [...commands, 'addr add 10.80.0.1/24 dev lan0'].join('\n'),
      })
    }
    await make()
    const router = await activeRouter(made, { interface: 'lan0' })
    await made.run('ip', ['-n', 'n1', 'link', 'del', 'lan0'])
    await router.untilState('fault')
    expect(await devicesOf(made)).toEqual([])
    await make()
    await router.untilState('active')
    expect(await devicesOf(made)).toEqual([`hf4-51 up ${vip}`])
    expect(await sysctl(made, 'lan0/arp_ignore')).toEqual(['1'])
    await router.stop()
    expect(await sysctl(made, 'lan0/arp_ignore')).toEqual(['0'])
  })

  test("another agent's device and its settings stay", async () => {
    const { made } = await setUp()
    const other = await startMacRouters(made, 'n1', [macRouter({ vrid: 52 })], { record: join(made.folder, 'other') })
    await other.untilState('active')
    const router = await activeRouter(made)
    await router.stop()
    expect(await devicesOf(made)).toEqual([`hf4-52 up ${vip}`])
    await other.stop()
  })

  test('where the device cannot be made, it is refused and nothing stays', async () => {
    const { made } = await setUp()
    const commands = ['link add br0 type bridge', 'link set eth0 master br0']
    await made.run('ip', ['-n', 'n1', '-batch', '-'], { input: commands.join('\n') })
    const router = await startMacRouters(made, 'n1', [macRouter()])
    const { text } = await router.until(({ text: line }) => line.includes('"refused"'))
    expect(text).toMatch(/make the device hf4-51-\w+ for a virtual MAC address on eth0: Device or resource busy/)
    expect(await sysctl(made, ...parent)).toEqual(['0', '0'])
  })

  test('an agent whose VRRP process is killed keeps device and address until it has handed over or goes on', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const agent = await startWeb(made, 'n1', { virtualMac: true })
    await agent.untilState('active')
    const indexOf = async (): Promise<string> =>
      (await made.run('ip', ['-n', 'n1', '-o', 'link', 'show', 'type', 'macvlan'])).stdout.split(':')[0]!
    const before = await indexOf()
    agent.killVrrp()
    await agent.untilEvent(({ reason }) => reason === 'no successor')
    await until(async () => (await devicesOf(made)).includes(`hf4-51 up ${vip}`), 'it is active again')
    expect(await indexOf()).toBe(before)
    expect(await agent.stop()).toBe(0)
    expect(await devicesOf(made)).toEqual([])
    expect(await sysctl(made, ...parent)).toEqual(['0', '0'])
  })
})
