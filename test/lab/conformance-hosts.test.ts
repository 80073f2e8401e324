/** What hosts learn of a router with a virtual MAC address: T-48 and T-50 of the conformance list, by a host and by frames. */
import { expect, onTestFinished, test } from 'vitest'
import { datagramsOf } from '../../node-agent/vrrp/datagrams.ts'
import type { Microseconds } from '../../node-agent/vrrp/time.ts'
import { formatAddress, formatMac } from '../../node-agent/wire/address.ts'
import { internetChecksum, pseudoHeaderSum } from '../../node-agent/wire/checksum.ts'
import { groupMac } from '../../node-agent/wire/ethernet.ts'
import { encodeIp } from '../../node-agent/wire/ip.ts'
import { labFor, until } from '../support/agents.ts'
import { etherTypes, type Frames, frame, mac, type RawFrame, startFrames } from '../support/frames.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { macRouter, startMacRouters, vip, virtualMac } from '../support/mac-router.ts'
import { describeWith } from '../support/peers.ts'
import { address } from '../support/routers.ts'

const host = { mac: '02:77:ff:00:00:02', address: 'fd77::90' }
const virtualMac6 = '00:00:5e:00:02:33'
const [icmpv6, solicitation, advertisement] = [58, 135, 136]
const target = 'fd77::50'

const router6 = macRouter({
  family: 'ipv6',
  // What it says unasked looks like what it answers.
  announce: { repeat: 1, again: 0 as Microseconds, refresh: 0 as Microseconds },
  addresses: ['fe80::51', target].map((text) => ({ address: address(text), prefixLength: 64 })),
})

/** Whom the host asks for; from `::` it asks whether anybody has the address that it wants for itself. */
function neighbourSolicitation(source: string): Uint8Array {
  const destination = address('ff02::1:ff00:50')
  const option = source === '::' ? new Uint8Array() : Uint8Array.of(1, 1, ...mac(host.mac))
  const message = Uint8Array.of(solicitation, 0, 0, 0, 0, 0, 0, 0, ...address(target), ...option)
  const ends = { source: address(source), destination }
  const sum = internetChecksum(message, pseudoHeaderSum({ ...ends, protocol: icmpv6, length: message.length }))
  message.set([sum >> 8, sum & 0xff], 2)
  const datagram = encodeIp({ ...ends, ttl: 255, protocol: icmpv6, payload: message })
  return frame(formatMac(groupMac(destination)), host.mac, etherTypes.ipv6, datagram)
}

const isAdvertisement = ({ type, body }: RawFrame): boolean =>
  type === etherTypes.ipv6 && body[6] === icmpv6 && body[40] === advertisement

/** Who answers, to whom, with which of the flags router, solicited and override, and which link-layer address. */
async function answers(frames: Frames, source: string): Promise<string[]> {
  frames.send(neighbourSolicitation(source))
  const seen = (await frames.during(400)).filter(isAdvertisement)
  return seen.map(({ from, body }) => {
    const flags = ['R', 'S', 'O'].filter((_, i) => (body[44]! & (0x80 >> i)) !== 0).join('')
    return `${from} ${formatAddress(body.subarray(24, 40))} ${flags} ${formatMac(body.subarray(66, 72))}`
  })
}

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'a host', () => {
  test('T-48, A-11: that knows the address at another MAC address learns the virtual one at once', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const entry = async (): Promise<string> => (await made.run('ip', ['-n', 'client', 'neigh', 'show', vip])).stdout
    await made.run('ip', [
      ...['-n', 'client', 'neigh', 'replace', vip, 'lladdr', '02:77:00:00:77:63', 'nud', 'reachable', 'dev', 'eth0'],
    ])
    expect(await entry()).toContain('02:77:00:00:77:63')
    const router = await startMacRouters(made, 'n1', [macRouter()])
    await router.untilState('active')
    await until(async () => (await entry()).includes(virtualMac), 'the entry is rewritten', 2_000)
  })

  test('T-50, N-12, N-13: that asks for an IPv6 address, or wants it for itself, is answered by the active router', async () => {
    const made = await labFor({ nodes: ['n1'] })
    await made.run('sh', ['-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'], { in: 'n1' })
    const frames = await startFrames(made, 'client')
    const router = await startMacRouters(made, 'n1', [router6])
    await router.untilState('active')
    await frames.until((each) => isAdvertisement(each) && each.from === virtualMac6, 'it has told unasked')
    await frames.during(300)
    expect(await answers(frames, host.address)).toEqual([`${virtualMac6} ${host.address} RSO ${virtualMac6}`])
    expect(await answers(frames, '::')).toEqual([`${virtualMac6} ff02::1 RO ${virtualMac6}`])
    const better = { ...router6, priority: 250, primaryAddress: address('fe80::99'), yielding: false }
    const [outgoing] = datagramsOf(better, 250)
    const depose = () => frames.send(frame('33:33:00:00:00:12', host.mac, etherTypes.ipv6, outgoing!.datagram))
    const timer = setInterval(depose, 100)
    onTestFinished(() => clearInterval(timer))
    await router.untilState('backup')
    await until(async () => !(await made.addresses('n1')).includes(target), 'n1 has yielded')
    expect(await answers(frames, host.address)).toEqual([])
    expect(await answers(frames, '::')).toEqual([])
  })
})
