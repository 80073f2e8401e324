/** rfc2136 against real BIND, Knot and PowerDNS: the shared suite, the fence, keys and clocks. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Observation } from '../../../adapters/adapter.ts'
import { addressData, classes, textData, types } from '../../../adapters/rfc2136/message.ts'
import {
  type DnsServer,
  type Kind,
  labKey,
  poolName,
  poorKey,
  startDns,
  vip,
  wildNames,
  zone,
} from '../../../infra/lab/dns/servers.ts'
import { describeWith, programRequirement } from '../../support/peers.ts'
import { plainAdapterCases } from '../adapter-cases.ts'
import { adapterAt, answersAt, targets, update, worldOf } from './worlds.ts'

const signal = () => AbortSignal.timeout(10_000)
const programs: Readonly<Record<Kind, string>> = { bind: 'named', knot: 'knotd', powerdns: 'pdns_server' }

const tokenOf = (seen: Observation): string | null => {
  if (seen.kind === 'unknown') throw new Error(JSON.stringify(seen))
  return seen.token
}

for (const kind of Object.keys(programs) as Kind[]) {
  describeWith(programRequirement(programs[kind]), `rfc2136 against ${kind}`, () => {
    let server: DnsServer
    beforeAll(async () => {
      server = await startDns(kind)
    }, 30_000)
    afterAll(() => server?.stop())

    plainAdapterCases({ name: `rfc2136 on ${kind}`, setup: () => worldOf(server) })

    test('of two who have seen the same, one moves it and the other is refused', async () => {
      const { adapter, world } = await worldOf(server)
      const token = tokenOf(await adapter.observe(signal()))
      const outcomes = await Promise.all([
        adapter.apply({ node: 'n1', epoch: 3, token }, signal()),
        adapter.apply({ node: 'n2', epoch: 4, token }, signal()),
      ])
      expect(outcomes.map((outcome) => outcome.kind).toSorted()).toEqual(['conflict', 'done'])
      const winner = outcomes[0]!.kind === 'done' ? ['n1', 3] : ['n2', 4]
      expect([await world.owner(), await adapter.observe(signal())]).toMatchObject([
        winner[0],
        { epochSeen: winner[1] },
      ])
    })

    test('what it wrote is there after a restart of the server, and an old token is refused', async () => {
      const { adapter, world } = await worldOf(server)
      const before = tokenOf(await adapter.observe(signal()))
      expect(await adapter.apply({ node: 'n1', epoch: 5, token: before }, signal())).toEqual({ kind: 'done' })
      await server.restart()
      expect(await adapter.observe(signal())).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 5 })
      expect(await adapter.apply({ node: 'n2', epoch: 6, token: before }, signal())).toMatchObject({ kind: 'conflict' })
      expect(await world.owner()).toBe('n1')
    })

    test('a TTL longer than the binding’s is foreign, and put right by the next move', async () => {
      const { adapter } = await worldOf(server)
      expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal())).toEqual({ kind: 'done' })
      const short = adapterAt(server.port, { ttl: 5 })
      const seen = await short.observe(signal())
      expect(seen).toMatchObject({ kind: 'foreign', what: expect.stringContaining('(TTL 30)'), epochSeen: 1 })
      expect(await short.apply({ node: 'n1', epoch: 1, token: tokenOf(seen) }, signal())).toEqual({ kind: 'done' })
      expect(await short.observe(signal())).toMatchObject({ kind: 'node', node: 'n1' })
      expect((await answersAt(server.port, vip, types.A))[0]?.ttl).toBe(5)
    })

    test('preflight passes, and changes nothing', async () => {
      const { adapter } = await worldOf(server)
      await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal())
      const look = async () => [await adapter.observe(signal()), await answersAt(server.port, zone, types.SOA)]
      const before = await look()
      const findings = await adapter.preflight(signal())
      expect(findings.map(({ result, message }) => [result, message])).toEqual(findings.map(() => ['passed', null]))
      expect(findings.length).toBeGreaterThanOrEqual(3)
      expect(await look(), 'the serial of the zone too').toEqual(before)
    })

    test('preflight leaves a record that is just what it would take away', async () => {
      const { adapter } = await worldOf(server)
      const zeros = { name: vip, type: types.A, class: classes.IN, ttl: 30, data: new Uint8Array(4) }
      expect(await update(server.port, [zeros])).toBe(0)
      expect((await adapter.preflight(signal())).map(({ result }) => result)).not.toContain('failed')
      expect(await adapter.observe(signal())).toMatchObject({ kind: 'foreign', what: '0.0.0.0' })
    })

    test.each(wildNames)('a wildcard that answers for %s is no hindrance, and stays', async (name) => {
      const adapter = adapterAt(server.port, { name })
      const seen = await adapter.observe(signal())
      expect(seen).toMatchObject({ kind: 'foreign' })
      expect((await adapter.preflight(signal())).map(({ result }) => result)).not.toContain('failed')
      const others = () => answersAt(server.port, name.replace('vip', 'other'), types.A)
      const before = await others()
      const token = tokenOf(seen)
      expect(await adapter.apply({ node: 'n1', epoch: 1, token }, signal())).toEqual({ kind: 'done' })
      expect(await adapter.observe(signal())).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 1 })
      expect(await adapter.apply({ node: 'n2', epoch: 2, token }, signal())).not.toMatchObject({ kind: 'done' })
      expect(await adapter.observe(signal())).toMatchObject({ kind: 'node', node: 'n1' })
      expect(before).not.toEqual([])
      expect(await others()).toEqual(before)
    })

    test('a key that may not, an unknown key and a wrong secret are permanent, and quote no secret', async () => {
      const { world } = await worldOf(server)
      const wrong = Buffer.from('not the secret').toString('base64')
      const adapters = [
        adapterAt(server.port, { key: poorKey }),
        adapterAt(server.port, { key: { name: 'nobody', secret: wrong } }),
        adapterAt(server.port, { key: { name: labKey.name, secret: wrong } }),
      ]
      for (const adapter of adapters) {
        const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal())
        expect(outcome).toMatchObject({ kind: 'permanent' })
        expect(JSON.stringify(outcome)).not.toContain(wrong)
        const findings = await adapter.preflight(signal())
        expect(findings.map(({ result }) => result)).toContain('failed')
      }
      expect(await world.owner()).toBeNull()
    })

    test('a clock that is off is a failure that says so, and nothing is written', async () => {
      const { world } = await worldOf(server)
      const adapter = adapterAt(server.port, { now: () => Date.now() - 600_000 })
      const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal())
      expect(outcome).toMatchObject({ kind: 'permanent' })
      if (kind !== 'powerdns') expect(JSON.stringify(outcome)).toMatch(/BADTIME.*clock is (599|600|601) s behind/)
      expect(await world.owner()).toBeNull()
    })

    test('a wildcard moves as any name does', async () => {
      const adapter = adapterAt(server.port, { name: poolName })
      const token = tokenOf(await adapter.observe(signal()))
      expect(await adapter.apply({ node: 'n1', epoch: 8, token }, signal())).toEqual({ kind: 'done' })
      expect(await adapter.observe(signal())).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 8 })
      const [answer] = await answersAt(server.port, poolName.replace('*', 'one'), types.A)
      expect(answer?.data).toEqual(addressData(targets.n1.a[0]))
    })

    test('while it starts again it is worth a retry, and then is as it was', async () => {
      const { adapter } = await worldOf(server)
      await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal())
      const token = tokenOf(await adapter.observe(signal()))
      const move = { node: 'n1', epoch: 2, token }
      await server.restart(async () => {
        expect(await adapter.observe(signal())).toMatchObject({ kind: 'unknown', failure: { kind: 'retry' } })
        expect(await adapter.apply(move, signal())).toMatchObject({ kind: 'retry' })
      })
      expect(await adapter.observe(signal())).toMatchObject({ kind: 'node', node: 'n2', epochSeen: 1 })
      expect(await adapter.apply(move, signal())).toEqual({ kind: 'done' })
    })

    test('what somebody else wrote into the epoch record stops it', async () => {
      const { adapter, world } = await worldOf(server)
      const strange = { name: `_holdfast.${vip}`, type: types.TXT, class: classes.IN, ttl: 30, data: textData('hello') }
      expect(await update(server.port, [strange])).toBe(0)
      const seen = await adapter.observe(signal())
      expect(seen).toMatchObject({ kind: 'foreign', what: expect.stringContaining('no epoch of ours') })
      const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: tokenOf(seen) }, signal())
      expect(outcome).toMatchObject({ kind: 'permanent', code: 'NotSimple' })
      expect(await world.owner()).toBeNull()
    })
  })
}
