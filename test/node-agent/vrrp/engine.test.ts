import { describe, expect, test } from 'vitest'
import { createEngine, type Engine, type InterfaceStatus } from '../../../node-agent/vrrp/engine.ts'
import type { Standing } from '../../../node-agent/vrrp/router.ts'
import type { Centiseconds } from '../../../node-agent/vrrp/time.ts'
import { encodeIpv4 } from '../../../node-agent/wire/ipv4.ts'
import { encodeAdvertisement } from '../../../node-agent/wire/vrrp.ts'
import { address, at, router } from '../../support/routers.ts'

const prefix = (text: string) => ({ address: address(text), prefixLength: 24 })
const up: InterfaceStatus = { up: true, addresses: [prefix('192.0.2.2')] }

function started(status: InterfaceStatus | undefined = up): Engine {
  const engine = createEngine({ routers: [router()] })
  engine.handle({ kind: 'interface', interface: 'eth0', status }, at(0))
  engine.takeOutputs()
  return engine
}

function datagram(priority: number, source = '192.0.2.3'): Uint8Array {
  const envelope = { source: address(source), destination: address('224.0.0.18') }
  const fields = {
    version: 3,
    vrid: 51,
    priority,
    maxAdvertiseInterval: 100,
    addresses: [address('192.0.2.100')],
  } as const
  return encodeIpv4({ ...envelope, ttl: 255, protocol: 112, payload: encodeAdvertisement(fields, envelope, 'rfc9568') })
}

const kinds = (engine: Engine): string[] => engine.takeOutputs().map(({ kind }) => kind)

describe('an interface', () => {
  test.each([
    { name: 'there is none', status: undefined, fault: 'there is no interface eth0' },
    { name: 'no carrier', status: { ...up, up: false }, fault: 'interface eth0 is down' },
    {
      name: 'P-06: only the virtual address',
      status: { up: true, addresses: [prefix('192.0.2.100')] },
      fault: 'interface eth0 has no IPv4 address of its own',
    },
  ])('that can’t carry a router ($name) is a fault, said once', ({ status, fault }) => {
    const engine = createEngine({ routers: [router()] })
    engine.handle({ kind: 'interface', interface: 'eth0', status }, at(0))
    expect(engine.takeOutputs()).toEqual([
      { kind: 'transition', service: 'web', from: 'initialize', to: 'fault', reason: fault },
    ])
    engine.handle({ kind: 'interface', interface: 'eth0', status }, at(1))
    expect(engine.takeOutputs()).toEqual([])
    expect(engine.services().web).toMatchObject({ state: 'fault', fault })
  })

  test('whose cable is pulled takes the addresses along; when it returns the router starts as backup', () => {
    const engine = started()
    engine.tick(at(3_610))
    engine.takeOutputs()
    engine.handle({ kind: 'interface', interface: 'eth0', status: { ...up, up: false } }, at(4_000))
    expect(engine.takeOutputs()).toMatchObject([
      { kind: 'remove-addresses' },
      { kind: 'transition', from: 'active', to: 'fault' },
    ])
    expect(engine.nextDeadline()).toBeUndefined()
    engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(9_000))
    expect(engine.takeOutputs()).toMatchObject([{ kind: 'transition', from: 'fault', to: 'backup' }])
  })

  test('that gains its virtual address goes on as before', () => {
    const engine = started()
    engine.tick(at(3_610))
    engine.takeOutputs()
    engine.handle(
      {
        kind: 'interface',
        interface: 'eth0',
        status: { up: true, addresses: [...up.addresses, prefix('192.0.2.100')] },
      },
      at(3_611),
    )
    expect(kinds(engine)).toEqual([])
    expect(engine.services().web).toMatchObject({ state: 'active' })
  })

  test('that loses its virtual address to somebody else gets it back, only while active', () => {
    const engine = started()
    const lost = { kind: 'address-removed', interface: 'eth0', address: address('192.0.2.100') } as const
    engine.handle(lost, at(1))
    expect(kinds(engine)).toEqual([])
    engine.tick(at(3_610))
    engine.takeOutputs()
    engine.handle({ ...lost, address: address('192.0.2.77') }, at(3_611))
    expect(kinds(engine)).toEqual([])
    engine.handle(lost, at(3_612))
    expect(kinds(engine)).toEqual(['install-addresses', 'announce-addresses', 'restored'])
  })
})

test('F-35: packets that were queued during a hold-up are heard before the timer that ran out meanwhile', () => {
  const engine = started()
  engine.handle({ kind: 'datagram', interface: 'eth0', bytes: datagram(150) }, at(9_000))
  engine.tick(at(9_000))
  expect(engine.services().web).toMatchObject({ state: 'backup' })
  expect(engine.nextDeadline()).toBe(at(9_000 + 3_609.375))
})

test('R-00: a discarded packet moves its counter, and no timer', () => {
  const engine = started()
  const before = engine.nextDeadline()
  const bad = datagram(255)
  bad.set([bad[26]! ^ 0xff], 26)
  for (let i = 0; i < 100; i += 1) engine.handle({ kind: 'datagram', interface: 'eth0', bytes: bad }, at(100 + i))
  engine.handle({ kind: 'datagram', interface: 'eth0', bytes: datagram(255, '192.0.2.2') }, at(300))
  expect(engine.nextDeadline()).toBe(before)
  expect(engine.discards().eth0).toMatchObject({ checksum: 100, self: 1, ttl: 0 })
})

test('two routers of an interface are independent, and each VRID has its own', () => {
  const other = router({ name: 'api', vrid: 52, priority: 200, addresses: [prefix('192.0.2.101')] })
  const engine = createEngine({ routers: [router(), other] })
  engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(0))
  engine.handle({ kind: 'datagram', interface: 'eth0', bytes: datagram(150) }, at(3_200))
  engine.tick(at(3_300))
  expect(engine.services()).toMatchObject({
    web: { state: 'backup', received: 1 },
    api: { state: 'active', received: 0 },
  })
})

test('a packet on another interface is not ours', () => {
  const engine = started()
  engine.handle({ kind: 'datagram', interface: 'eth1', bytes: datagram(150) }, at(1))
  expect(engine.discards().eth1).toMatchObject({ vrid: 1 })
})

describe('a take-over', () => {
  const command = { kind: 'take-over', id: 'op-1', service: 'web', priority: 201 } as const

  test('is answered when done, and shows the priority it took', () => {
    const engine = started()
    engine.handle(command, at(10))
    expect(engine.takeOutputs()).toContainEqual({ kind: 'answer', id: 'op-1', ok: true })
    expect(engine.services().web).toMatchObject({ state: 'active', priority: 201, basePriority: 100 })
    engine.handle({ kind: 'lower', id: 'op-2', service: 'web' }, at(20))
    expect(kinds(engine)).toContain('priority')
    expect(engine.services().web).toMatchObject({ state: 'active', priority: 100 })
  })

  test.each([
    {
      name: 'of a service that is not here',
      engine: started(),
      changes: { service: 'db' },
      reason: 'this node has no service db',
    },
    {
      name: 'over a cable that is out',
      engine: started({ ...up, up: false }),
      changes: {},
      reason: 'interface eth0 is down',
    },
  ])('$name is refused, and says why', ({ engine, changes, reason }) => {
    engine.handle({ ...command, ...changes }, at(10))
    expect(engine.takeOutputs()).toEqual([{ kind: 'answer', id: 'op-1', ok: false, reason }])
  })
})

test('stop is finished when every router has left, and an interface that comes back starts nothing', () => {
  const engine = started()
  engine.tick(at(3_610))
  engine.handle({ kind: 'stop' }, at(3_700))
  expect(engine.finished()).toBe(false)
  expect(engine.services().web).toMatchObject({ state: 'initialize' })
  engine.tick(engine.nextDeadline()!)
  expect(engine.finished()).toBe(true)
  engine.handle({ kind: 'interface', interface: 'eth0', status: { ...up, up: false } }, at(6_000))
  engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(6_001))
  expect(engine.finished()).toBe(true)
})

test('F-34: a timer that fired more than an interval late is counted, and told to the log each ten seconds at most', () => {
  const engine = createEngine({ routers: [router({ advertisementInterval: 10 as Centiseconds })] })
  engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(0))
  engine.tick(at(361 + 150))
  expect(engine.services().web).toMatchObject({ late: 1 })
  expect(kinds(engine)).toContain('late')
  const again = (ms: number): string[] => {
    engine.tick(at(ms))
    return kinds(engine).filter((kind) => kind === 'late')
  }
  // Each time it steps down, waits, and is late again.
  expect(again(5_000)).toEqual([])
  expect(again(9_000)).toEqual([])
  expect(again(20_000)).toEqual(['late'])
  expect(engine.services().web).toMatchObject({ late: 4 })
})

test('an oddity is said once while it lasts', () => {
  const engine = started()
  const envelope = { source: address('192.0.2.3'), destination: address('224.0.0.18') }
  const fields = {
    version: 3,
    vrid: 51,
    priority: 150,
    maxAdvertiseInterval: 100,
    addresses: [address('192.0.2.99')],
  } as const
  const payload = encodeAdvertisement(fields, envelope, 'rfc9568')
  const odd = encodeIpv4({ ...envelope, ttl: 255, protocol: 112, payload })
  for (let i = 0; i < 3; i += 1) engine.handle({ kind: 'datagram', interface: 'eth0', bytes: odd }, at(i))
  expect(kinds(engine)).toEqual(['odd'])
  engine.handle({ kind: 'datagram', interface: 'eth0', bytes: datagram(150) }, at(10))
  engine.handle({ kind: 'datagram', interface: 'eth0', bytes: odd }, at(11))
  expect(kinds(engine)).toEqual(['odd'])
})

describe('what is said of a router', () => {
  const plain: Standing = { priority: 100, yielding: false, fault: null }
  const say = (engine: Engine, ms: number, changes: Partial<Standing>, id: string | null = null): void =>
    engine.handle({ kind: 'standing', id, service: 'web', standing: { ...plain, ...changes } }, at(ms))
  const activeEngine = (): Engine => {
    const engine = started()
    engine.tick(at(3_610))
    engine.takeOutputs()
    return engine
  }

  test('yield: an active router hands over and stays backup; a take-over is refused until it takes part again', () => {
    const engine = activeEngine()
    say(engine, 3_700, { yielding: true }, 'y-1')
    expect(engine.takeOutputs()).toMatchObject([
      { kind: 'send-advertisement', priority: 0 },
      { kind: 'transition', from: 'active', to: 'initialize', reason: 'yield' },
      { kind: 'standing' },
      { kind: 'answer', id: 'y-1', ok: true },
    ])
    engine.tick(engine.nextDeadline()!)
    expect(engine.services().web).toMatchObject({ state: 'backup', yielding: true })
    engine.tick(at(60_000))
    expect(engine.services().web).toMatchObject({ state: 'backup' })
    engine.takeOutputs()
    engine.handle({ kind: 'take-over', id: 't-1', service: 'web', priority: 201 }, at(60_001))
    expect(engine.takeOutputs()).toEqual([
      { kind: 'answer', id: 't-1', ok: false, reason: expect.stringMatching(/yields web/) },
    ])
    say(engine, 60_002, {})
    engine.tick(at(60_002 + 3_610))
    expect(engine.services().web).toMatchObject({ state: 'active', yielding: false })
  })

  test('said again, nothing happens', () => {
    const engine = activeEngine()
    for (const ms of [3_700, 3_701]) say(engine, ms, { yielding: true })
    expect(kinds(engine)).toEqual(['send-advertisement', 'transition', 'standing', 'standing'])
  })

  test('F-27: a fault: it leaves politely, says why, and starts again as backup when the fault is over', () => {
    const engine = activeEngine()
    say(engine, 3_700, { fault: 'check app: HTTP 503' })
    expect(engine.takeOutputs()).toMatchObject([
      { kind: 'send-advertisement', priority: 0 },
      { kind: 'transition', from: 'active', to: 'fault', reason: 'check app: HTTP 503' },
      { kind: 'standing' },
    ])
    engine.handle({ kind: 'datagram', interface: 'eth0', bytes: datagram(90) }, at(3_900))
    engine.tick(at(3_930))
    expect(engine.takeOutputs()).toContainEqual(expect.objectContaining({ kind: 'remove-addresses' }))
    expect(engine.nextDeadline()).toBeUndefined()
    engine.handle({ kind: 'take-over', id: 't-1', service: 'web', priority: 201 }, at(4_000))
    expect(engine.takeOutputs()).toContainEqual({ kind: 'answer', id: 't-1', ok: false, reason: 'check app: HTTP 503' })
    say(engine, 5_000, {})
    expect(engine.takeOutputs()).toContainEqual(
      expect.objectContaining({ kind: 'transition', from: 'fault', to: 'backup' }),
    )
  })

  test('a fault whose reason changes goes on: nothing is said or sent a second time', () => {
    const engine = activeEngine()
    say(engine, 3_700, { fault: 'check app: HTTP 503' })
    engine.takeOutputs()
    for (const ms of [3_710, 9_000]) {
      engine.tick(at(ms))
      engine.takeOutputs()
      say(engine, ms, { fault: `check app: refused at ${ms}` })
      expect(kinds(engine)).toEqual(['standing'])
    }
    expect(engine.services().web).toMatchObject({ state: 'fault', fault: 'check app: refused at 9000' })
  })

  test('a fault that is over while it still answers: it goes on as backup', () => {
    const engine = activeEngine()
    say(engine, 3_700, { fault: 'check app: HTTP 503' })
    say(engine, 3_710, {})
    engine.tick(engine.nextDeadline()!)
    expect(engine.services().web).toMatchObject({ state: 'backup', fault: null })
  })

  test('a fault keeps a router from starting, and an interface that comes back does not start it', () => {
    const engine = createEngine({ routers: [router()], standings: { web: { ...plain, fault: 'check app: refused' } } })
    engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(0))
    expect(engine.takeOutputs()).toEqual([
      { kind: 'transition', service: 'web', from: 'initialize', to: 'fault', reason: 'check app: refused' },
    ])
    engine.handle({ kind: 'interface', interface: 'eth0', status: { ...up, up: false } }, at(1))
    engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(2))
    expect(engine.services().web).toMatchObject({ state: 'fault', fault: 'check app: refused' })
    expect(engine.nextDeadline()).toBeUndefined()
    say(engine, 3, {})
    expect(engine.services().web).toMatchObject({ state: 'backup' })
  })

  test('a process that crashed while active and may not go on hands over what it held', () => {
    const engine = createEngine({
      routers: [router()],
      holding: new Set(['web']),
      standings: { web: { ...plain, fault: 'check app: refused' } },
    })
    engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(0))
    expect(engine.takeOutputs()).toMatchObject([
      { kind: 'send-advertisement', priority: 0 },
      { kind: 'transition', to: 'fault', reason: 'check app: refused' },
    ])
    engine.tick(engine.nextDeadline()!)
    expect(kinds(engine)).toContain('remove-addresses')
    expect(engine.nextDeadline()).toBeUndefined()
  })

  test('a priority: advertised in place, and shown beside the configured one', () => {
    const engine = activeEngine()
    say(engine, 3_700, { priority: 80 })
    expect(engine.takeOutputs()).toMatchObject([
      { kind: 'send-advertisement', priority: 80, router: { priority: 80 } },
      { kind: 'standing' },
    ])
    expect(engine.services().web).toMatchObject({ state: 'active', priority: 80, basePriority: 100 })
  })

  test('of a service that is not here is refused', () => {
    const engine = started()
    engine.handle({ kind: 'standing', id: 'y-1', service: 'db', standing: plain }, at(1))
    expect(engine.takeOutputs()).toEqual([
      { kind: 'answer', id: 'y-1', ok: false, reason: 'this node has no service db' },
    ])
  })
})
