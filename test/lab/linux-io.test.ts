/** The agent's sockets and netlink against the kernel, without an engine: two machines, and a tap on a third. */
import { expect, test } from 'vitest'
import type { Lab } from '../../infra/lab/topology.ts'
import type { Carried } from '../../node-agent/linux/vrrp-sockets.ts'
import type { AddressChange } from '../../node-agent/ports.ts'
import type { Outgoing } from '../../node-agent/vrrp/datagrams.ts'
import type { Family } from '../../node-agent/wire/address.ts'
import { formatAddress, virtualMacOf } from '../../node-agent/wire/address.ts'
import { decodeIp, encodeIp } from '../../node-agent/wire/ip.ts'
import { multicastGroupOf, vrrpProtocol } from '../../node-agent/wire/vrrp.ts'
import { labFor } from '../support/agents.ts'
import { addressesOf, datagramsFrom, type Io, startIo } from '../support/io.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'
import { address } from '../support/routers.ts'
import { startTap } from '../support/tap.ts'

const families: readonly Family[] = ['ipv4', 'ipv6']
const on = (name: string, kind: 'multicast' | 'unicast' = 'multicast'): Carried[] =>
  families.map((family) => ({ interface: name, family, transport: { kind } }))

/** Whatever is in it: sockets look at no more than the IP header. */
function outgoing(source: string, destination: string | undefined, text: string, changes: Partial<Outgoing> = {}) {
  const from = address(source)
  const to = destination === undefined ? multicastGroupOf(from.length === 4 ? 'ipv4' : 'ipv6') : address(destination)
  const payload = new TextEncoder().encode(text)
  const datagram = encodeIp({ source: from, destination: to, ttl: 255, protocol: vrrpProtocol, payload })
  return { interface: 'eth0', mac: null, destination: to, datagram, ...changes }
}

/** A datagram as its sender, receiver, TTL and text. */
function read(bytes: Uint8Array): string {
  const datagram = decodeIp(bytes)
  if (datagram === undefined || datagram.protocol !== vrrpProtocol)
    return `not one: ${Buffer.from(bytes).toString('hex')}`
  const { source, destination, ttl, payload } = datagram
  return `${formatAddress(source)} ${formatAddress(destination)} ${ttl} ${new TextDecoder().decode(payload)}`
}

const heard = (io: Io, name?: string): string[] => datagramsFrom(io, name).map(read)
const linkLocal = (io: Io, name?: string): string => addressesOf(io, name)!.find((text) => text.startsWith('fe80:'))!

async function pair(made: Lab, routers = on('eth0')): Promise<readonly [Io, Io]> {
  const [n1, n2] = await Promise.all([startIo(made, 'n1'), startIo(made, 'n2')])
  await Promise.all([n1.do({ kind: 'carry', routers }), n2.do({ kind: 'carry', routers })])
  return [n1, n2]
}

describeWith(lab, 'VRRP sockets', () => {
  test('hundreds of datagrams of a turn, of both families, come whole and in order; nobody hears himself (F-31)', async () => {
    const made = await labFor()
    const [n1, n2] = await pair(made)
    const all = ['10.77.0.1', linkLocal(n1)].map((source) =>
      Array.from({ length: 300 }, (_, i) => outgoing(source, undefined, `${i}`)),
    )
    // Turn about, so that they have to be sorted by socket.
    await n1.do({ kind: 'send', outgoing: all[0]!.flatMap((each, i) => [each, all[1]![i]!]) })
    await n2.until(() => heard(n2).length >= 600, 'all of them')
    for (const of of all) {
      const wanted = of.map(({ datagram }) => read(datagram))
      expect(heard(n2).filter((text) => wanted.includes(text))).toEqual(wanted)
    }
    await n1.do({ kind: 'send', outgoing: [outgoing('10.77.0.1', undefined, 'last')] })
    await n2.until(() => heard(n2).at(-1)!.endsWith('last'), 'the last one')
    expect(heard(n1)).toEqual([])
  })

  test('a long datagram is not cut; the hop limit is what it was', async () => {
    const made = await labFor()
    const [n1, n2] = await pair(made)
    const long = 'x'.repeat(1_400)
    const lower = outgoing(linkLocal(n1), undefined, 'low')
    lower.datagram[7] = 64
    await n1.do({
      kind: 'send',
      outgoing: [outgoing('10.77.0.1', undefined, long), outgoing(linkLocal(n1), undefined, long), lower],
    })
    await n2.until(() => heard(n2).length === 3, 'three')
    expect(heard(n2).toSorted()).toEqual(
      [
        `10.77.0.1 224.0.0.18 255 ${long}`,
        `${linkLocal(n1)} ff02::12 255 ${long}`,
        `${linkLocal(n1)} ff02::12 64 low`,
      ].toSorted(),
    )
  })

  test('peers: datagrams to an address of ours are heard, those to the group are not', async () => {
    const made = await labFor()
    for (const node of ['n1', 'n2'])
      await made.run('ip', ['-n', node, 'addr', 'add', `fd77::${node[1]}/64`, 'dev', 'eth0', 'nodad'])
    const [n1, n2] = await pair(made, on('eth0', 'unicast'))
    await n1.do({
      kind: 'send',
      outgoing: [
        outgoing('10.77.0.1', undefined, 'to all'),
        outgoing(linkLocal(n1), undefined, 'to all'),
        outgoing('10.77.0.1', '10.77.0.2', 'to you'),
        outgoing(linkLocal(n1), linkLocal(n2), 'to you'),
        outgoing('fd77::1', 'fd77::2', 'to you'),
      ],
    })
    await n2.until(() => heard(n2).length >= 3, 'three of them')
    expect(heard(n2).toSorted()).toEqual(
      [
        '10.77.0.1 10.77.0.2 255 to you',
        `${linkLocal(n1)} ${linkLocal(n2)} 255 to you`,
        'fd77::1 fd77::2 255 to you',
      ].toSorted(),
    )
    // A router that is multicast joins in: the same sockets hear the group from now on.
    await n2.do({ kind: 'carry', routers: [...on('eth0', 'unicast'), ...on('eth0')] })
    await n1.do({ kind: 'carry', routers: on('eth0') })
    await n1.do({
      kind: 'send',
      outgoing: [outgoing('10.77.0.1', undefined, 'hello'), outgoing(linkLocal(n1), undefined, 'hello')],
    })
    await n2.until(() => heard(n2).filter((text) => text.endsWith('255 hello')).length === 2, 'the group of both')
  })

  test('with a virtual MAC address a whole frame leaves, to the MAC address of the group', async () => {
    const made = await labFor()
    const [n1, n2] = await pair(made)
    const tap = await startTap(made)
    await n1.do({
      kind: 'send',
      outgoing: [
        outgoing('10.77.0.1', undefined, '12345678', { mac: virtualMacOf('ipv4', 51) }),
        outgoing(linkLocal(n1), undefined, '12345678', { mac: virtualMacOf('ipv6', 51) }),
      ],
    })
    await n2.until(() => heard(n2).length === 2, 'both')
    await tap.until(({ kind, to }) => kind === 'vrrp' && to.startsWith('33'))
    const frames = tap.frames.filter(({ kind }) => kind === 'vrrp')
    expect(frames.map(({ from, to }) => `${from} ${to}`)).toEqual([
      '00:00:5e:00:01:33 01:00:5e:00:00:12',
      '00:00:5e:00:02:33 33:33:00:00:00:12',
    ])
  })

  test('what a firewall refuses is lost alone, and a link that is down loses what is sent then', async () => {
    const made = await labFor()
    const [n1, n2] = await pair(made, on('eth0', 'unicast'))
    await made.run('ip', ['netns', 'exec', 'n1', 'nft', '-f', '-'], {
      input: `add table ip t; add chain ip t out { type filter hook output priority 0; }
        add rule ip t out ip daddr 10.77.0.100 drop\n`,
    })
    const mixed = Array.from({ length: 40 }, (_, i) =>
      outgoing('10.77.0.1', i % 2 === 0 ? '10.77.0.100' : '10.77.0.2', `${i}`),
    )
    await n1.do({ kind: 'send', outgoing: mixed })
    await n2.until(() => heard(n2).length >= 20, 'every second one')
    expect(heard(n2)).toEqual(mixed.filter((_, i) => i % 2 === 1).map(({ datagram }) => read(datagram)))

    await made.run('ip', ['-n', 'n1', 'link', 'set', 'eth0', 'down'])
    await n1.do({ kind: 'send', outgoing: mixed })
    await n1.do({ kind: 'announce', announcements: [{ interface: 'eth0', mac: null, address: address('10.77.0.50') }] })
    await made.run('ip', ['-n', 'n1', 'link', 'set', 'eth0', 'up'])
    const again = outgoing('10.77.0.1', '10.77.0.2', 'again')
    await expect
      .poll(async () => {
        await n1.do({ kind: 'send', outgoing: [again] })
        return heard(n2).at(-1)
      })
      .toBe(read(again.datagram))
    expect(n1.said).toEqual([])
  })
})

describeWith(lab, 'interfaces', () => {
  const link = (made: Lab) => ({
    add: () =>
      made.sandbox.run('sh', ['-se'], {
        input: `ip -n n1 link add late type veth peer name late netns n2
          for n in 1 2; do ip -n n$n addr add 10.79.0.$n/24 dev late; ip -n n$n link set late up; done\n`,
      }),
    remove: () => made.run('ip', ['-n', 'n1', 'link', 'del', 'late']),
    rename: (from: string, to: string) =>
      made.sandbox.run('sh', ['-se'], {
        input: `ip -n n1 link set ${from} down; ip -n n1 link set ${from} name ${to}; ip -n n1 link set ${to} up\n`,
      }),
  })

  const talks = async (n1: Io, n2: Io, text: string): Promise<void> => {
    const has = (io: Io): boolean =>
      addressesOf(io, 'late')?.some((each) => each.startsWith('10.79.')) === true && linkLocal(io, 'late') !== undefined
    await Promise.all([n1, n2].map((io) => io.until(() => has(io), 'both families on late')))
    const sources = ['10.79.0.1', linkLocal(n1, 'late')]
    await expect
      .poll(async () => {
        const sent = sources.map((source) => outgoing(source, undefined, text, { interface: 'late' }))
        await n1.do({ kind: 'send', outgoing: sent })
        return new Set(heard(n2, 'late').filter((each) => each.endsWith(text))).size
      })
      .toBe(2)
  }

  test('one that comes later, goes, comes back under another index, or is renamed: both families go on', async () => {
    const made = await labFor()
    const { add, remove, rename } = link(made)
    const [n1, n2] = await pair(made, [...on('late'), ...on('eth0')])
    expect(addressesOf(n1, 'late')).toBeUndefined()
    await add()
    await talks(n1, n2, 'it has come')
    await remove()
    await n1.until(() => addressesOf(n1, 'late') === undefined, 'it has gone')
    await add()
    await talks(n1, n2, 'it is back')
    await rename('late', 'other')
    await n1.until(() => addressesOf(n1, 'late') === undefined, 'another name')
    await rename('other', 'late')
    await talks(n1, n2, 'its old name')
    expect([n1.said, n2.said]).toEqual([[], []])
  })

  test('one that was replaced while nobody looked is told as gone, and then as there', async () => {
    const made = await labFor()
    const { add, remove } = link(made)
    await add()
    const [n1, n2] = await pair(made, on('late'))
    await talks(n1, n2, 'before')
    n1.program.freeze()
    await remove()
    await add()
    const from = n1.inputs.length
    n1.program.thaw()
    await talks(n1, n2, 'after')
    const told = n1.inputs.slice(from).filter(({ kind }) => kind === 'interface')
    expect(told[0]).toEqual({ kind: 'interface', interface: 'late', status: undefined })
    expect(told.length).toBeGreaterThan(1)
  })

  test('an IPv6 address is none of the interface until no duplicate was found, and none when one was', async () => {
    const made = await labFor({ nodes: ['n1', 'n2'], client: false })
    const sysctl = (key: string) => `ip netns exec n1 sysctl -qw net.ipv6.conf.eth0.${key}`
    const [n1] = await pair(made)
    const sh = (input: string) => made.sandbox.run('sh', ['-se'], { input })
    await sh(`${sysctl('accept_dad=1')}; ${sysctl('dad_transmits=2')}; ip -n n2 addr add fd77::2/64 dev eth0 nodad`)
    const from = n1.inputs.length
    await sh('ip -n n1 addr add fd77::1/64 dev eth0; ip -n n1 addr add fd77::2/64 dev eth0')
    await n1.until(() => addressesOf(n1)!.includes('fd77::1'), 'no duplicate of fd77::1')
    // It was told of them before, as an interface without them.
    const first = n1.inputs.slice(from).find(({ kind }) => kind === 'interface')
    expect(addressesOf({ ...n1, inputs: [first!] })).not.toContain('fd77::1')
    await expect.poll(async () => (await sh('ip -n n1 -6 addr show dev eth0 dadfailed')).stdout).toContain('fd77::2')
    expect(
      n1.inputs
        .slice(from)
        .some((_, i) => addressesOf({ ...n1, inputs: n1.inputs.slice(0, from + i + 1) })!.includes('fd77::2')),
    ).toBe(false)
  })
})

describeWith(lab, 'addresses', () => {
  const changes = (kind: 'add' | 'delete', texts: readonly string[]): AddressChange[] =>
    texts.map((text) => {
      const [plain, length] = text.split('/')
      return { kind, interface: 'eth0', mac: null, prefix: { address: address(plain!), prefixLength: Number(length) } }
    })

  test('hundreds of both families in one batch come and go, whichever are there already; refusals are named', async () => {
    const made = await labFor({ nodes: ['n1'], client: false })
    const n1 = await startIo(made, 'n1')
    await n1.do({ kind: 'carry', routers: on('eth0') })
    const before = await made.addresses('n1')
    const all = Array.from({ length: 350 }, (_, i) => [
      `10.80.${i >> 8}.${i & 255}/16`,
      `fd80::${(i + 1).toString(16)}/64`,
    ]).flat()
    await made.run('ip', ['-n', 'n1', 'addr', 'add', '10.80.0.7/16', 'dev', 'eth0'])
    await n1.do({ kind: 'change', changes: changes('add', all) })
    expect((await made.addresses('n1')).length).toBe(before.length + all.length)
    const { stdout } = await made.run('ip', ['-n', 'n1', '-6', 'addr', 'show', 'dev', 'eth0', 'tentative'])
    expect(stdout).toBe('')
    await n1.until(() => addressesOf(n1)!.length === before.length + all.length, 'the table has them')
    // Twice: what is gone already is no failure, of however many.
    await n1.do({ kind: 'change', changes: changes('delete', all) })
    await n1.do({ kind: 'change', changes: changes('delete', all) })
    expect(await made.addresses('n1')).toEqual(before)
    await n1.until(() => addressesOf(n1)!.length === before.length, 'the table has lost them')
    expect(n1.said).toEqual([])
    await n1.do({ kind: 'change', changes: changes('add', ['10.81.0.1/24', 'ff02::1/64', '10.81.0.2/24']) })
    expect(n1.said).toEqual([{ kind: 'warning', message: expect.stringMatching(/^could not add ff02::1 on eth0: E/) }])
    expect(await made.addresses('n1')).toEqual(expect.arrayContaining(['10.81.0.1', '10.81.0.2']))
  })

  test.each([
    {
      name: 'removing the first of a network leaves its siblings',
      leaveSiblings: false,
      left: ['10.80.0.2', '10.80.0.3'],
    },
    { name: 'without our care the kernel would remove them too', leaveSiblings: true, left: [] },
  ])('$name', async ({ leaveSiblings, left }) => {
    const made = await labFor({ nodes: ['n1'], client: false })
    const conf = '/proc/sys/net/ipv4/conf'
    await made.run('ip', ['netns', 'exec', 'n1', 'sh', '-c', `echo 0 | tee ${conf}/*/promote_secondaries`])
    const n1 = await startIo(made, 'n1', { leaveSiblings })
    await n1.do({ kind: 'carry', routers: on('eth0') })
    await n1.do({ kind: 'change', changes: changes('add', ['10.80.0.1/24', '10.80.0.2/24', '10.80.0.3/24']) })
    await n1.do({ kind: 'change', changes: changes('delete', ['10.80.0.1/24']) })
    expect((await made.addresses('n1')).filter((each) => each.startsWith('10.80.'))).toEqual(left)
  })
})

describeWith(lab, 'announcements', () => {
  test('those of 250 addresses of each family leave within a moment, in the form of A-10 and N-10', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const n1 = await startIo(made, 'n1')
    await n1.do({ kind: 'carry', routers: on('eth0') })
    const tap = await startTap(made)
    const each = Array.from({ length: 250 }, (_, i) => i)
    // Nobody installed them, so that those of IPv6 wait for as long as the kernel may take at most.
    const addresses = [...each.map((i) => `10.80.0.${i}`), ...each.map((i) => `fd80::${(i + 1).toString(16)}`)]
    const announcements = addresses.map((text) => ({ interface: 'eth0', mac: null, address: address(text) }))
    await n1.do({ kind: 'announce', announcements })
    await tap.until(
      ({ kind }) => kind === 'neighbour' && tap.frames.filter((each) => each.kind === kind).length === 250,
    )
    const told = tap.frames.filter((frame) => frame.kind !== 'vrrp')
    const from = '02:77:00:00:77:01'
    expect(told.map((frame) => frame.address)).toEqual(addresses)
    for (const frame of told) {
      if (frame.kind === 'arp') expect(frame).toMatchObject({ gratuitous: true, from, to: 'ff:ff:ff:ff:ff:ff' })
      else expect(frame).toMatchObject({ flags: 0xa0, ttl: 255, from, to: '33:33:00:00:00:01' })
    }
    const tookMs = told.at(-1)!.at - told[0]!.at
    console.info(`500 announcements reached the tap within ${tookMs.toFixed(1)} ms`)
  })
})
