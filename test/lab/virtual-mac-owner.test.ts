/** Address owners and IPv6 with a virtual MAC address: the cases in which an interface would speak for it, or too early. */
import { expect, onTestFinished, test } from 'vitest'
import type { Lab } from '../../infra/lab/topology.ts'
import { ownerRules } from '../../node-agent/owner-filter.ts'
import { datagramsOf } from '../../node-agent/vrrp/datagrams.ts'
import { formatAddress } from '../../node-agent/wire/address.ts'
import { labFor, until } from '../support/agents.ts'
import { arpIn, arpRequest, echoRequest, etherTypes, frame, type RawFrame, startFrames } from '../support/frames.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { macRouter, startMacRouters, virtualMac } from '../support/mac-router.ts'
import { bothOf, describeWith, nftables } from '../support/peers.ts'
import { address } from '../support/routers.ts'

const host = { mac: '02:77:ff:00:00:02', address: '10.77.0.90' }
const own = '10.77.0.1'
const ipv6Mac = '00:00:5e:00:02:33'

const timedLab = repeatedWhenHeldUp(lab)

/** Whoever refuses has answered; throws when nothing answers within a second. */
async function connect(made: Lab, destination: string): Promise<void> {
  const script = `: </dev/tcp/${destination}/9`
  const { stdout } = await made.run('sh', ['-c', 'timeout 1 bash -c "$1" 2>&1 || true', 'sh', script], { in: 'client' })
  expect(stdout).toContain('Connection refused')
}

const macOf = (each: RawFrame): string => arpIn(each)?.senderMac ?? ''

describeWith(bothOf(timedLab, nftables), 'an address owner with a virtual MAC address', () => {
  test('its own address is answered, and asked in the name of, from the virtual MAC address alone', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const frames = await startFrames(made, 'client')
    const owner = macRouter({ priority: 255, addresses: [{ address: address(own), prefixLength: 24 }] })
    await made.run('nft', ['-f', '-'], { in: 'n1', input: ownerRules('holdfast-test', [owner]).join('\n') })
    const router = await startMacRouters(made, 'n1', [owner])
    await router.untilState('active')
    const from = frames.seen.length
    frames.send(arpRequest(host, own))
    const answered = (await frames.during(300)).filter((each) => arpIn(each)?.operation === 'reply')
    expect(answered.map(macOf)).toEqual([virtualMac])
    frames.send(echoRequest({ to: virtualMac, from: host.mac, source: host.address, destination: own }))
    const asked = await frames.until((each) => arpIn(each)?.target === host.address, 'it asks for the host', from)
    expect(arpIn(asked)).toMatchObject({ sender: own, senderMac: virtualMac })
    await router.stop()
    expect(await made.addresses('n1')).toContain(own)
  })
})

const linkLocal = 'fe80::51'
const global = 'fd77::50'

const ipv6Router = macRouter({
  family: 'ipv6',
  addresses: [linkLocal, global].map((text) => ({ address: address(text), prefixLength: 64 })),
})

const isIcmp6 = (type: number) => (each: RawFrame) =>
  each.type === etherTypes.ipv6 && each.body[6] === 58 && each.body[40] === type
const neighbourAdvertisement = 136
const targetOf = ({ body }: RawFrame): string => formatAddress(body.subarray(48, 64))
const isVrrp = (each: RawFrame): boolean => each.type === etherTypes.ipv6 && each.body[6] === 112

describeWith(timedLab, 'IPv6 with a virtual MAC address', () => {
  test('T-49, T-56, P-07: it advertises, announces, and answers at once, without a doubt', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const frames = await startFrames(made, 'client')
    await made.run('ip', ['-n', 'client', 'addr', 'add', 'fd77::100/64', 'dev', 'eth0', 'nodad'])
    await made.run('ip', ['-n', 'n1', 'addr', 'add', 'fd77::1/64', 'dev', 'eth0', 'nodad'])
    const router = await startMacRouters(made, 'n1', [ipv6Router])
    await router.untilState('active')
    const first = await frames.until(isVrrp, 'an advertisement')
    const told = await frames.until(
      (each) => isIcmp6(neighbourAdvertisement)(each) && targetOf(each) === global,
      'an NA',
    )
    expect([first.from, told.from]).toEqual([ipv6Mac, ipv6Mac])
    expect(frames.seen.indexOf(first)).toBeLessThan(frames.seen.indexOf(told))
    // It asks, is answered, and is answered again by the address itself, all within the second that a doubt takes.
    await connect(made, global)
    const { stdout } = await made.run('ip', ['-n', 'client', 'neigh', 'show', global])
    expect(stdout).toContain(ipv6Mac)
    await router.stop()
    expect((await made.addresses('n1')).filter((each) => each === global || each === linkLocal)).toEqual([])
  })

  test('T-51, A-02: its first frame is an advertisement, and none leaves once it has yielded, not even to leave groups', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const frames = await startFrames(made, 'client')
    const router = await startMacRouters(made, 'n1', [ipv6Router])
    const first = await frames.until(({ from }) => from === ipv6Mac, 'a frame from the virtual MAC address')
    expect(isVrrp(first)).toBe(true)
    await router.untilState('active')
    // Long enough for the kernel to have told of the groups of its addresses.
    await frames.during(1_000)
    const better = { ...ipv6Router, priority: 250, primaryAddress: address('fe80::99'), yielding: false }
    const [advertisement] = datagramsOf(better, 250)
    const advertise = () => frames.send(frame('33:33:00:00:00:12', host.mac, etherTypes.ipv6, advertisement!.datagram))
    const timer = setInterval(advertise, 100)
    onTestFinished(() => clearInterval(timer))
    await router.untilState('backup')
    await until(async () => !(await made.addresses('n1')).includes(global), 'n1 has yielded')
    expect((await frames.during(3_000)).filter(({ from }) => from === ipv6Mac)).toEqual([])
    expect(router.state()).toBe('backup')
  })

  test('an IPv4 router carries an IPv6 address along on its device', async () => {
    const made = await labFor({ nodes: ['n1'] })
    await made.run('ip', ['-n', 'client', 'addr', 'add', 'fd77::100/64', 'dev', 'eth0', 'nodad'])
    await made.run('ip', ['-n', 'n1', 'addr', 'add', 'fd77::1/64', 'dev', 'eth0', 'nodad'])
    const rider = { address: address(global), prefixLength: 64 }
    const router = await startMacRouters(made, 'n1', [macRouter({ riders: [rider] })])
    await router.untilState('active')
    await connect(made, global)
    const { stdout } = await made.run('ip', ['-n', 'client', 'neigh', 'show', global])
    expect(stdout).toContain(virtualMac)
  })
})
