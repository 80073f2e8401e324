/** A reload, as the engine sees it: what stays is not touched, what changes does so in place, what is gone leaves. */
import { describe, expect, test } from 'vitest'
import { createEngine, type Engine, type InterfaceStatus } from '../../../node-agent/vrrp/engine.ts'
import type { VirtualRouter } from '../../../node-agent/vrrp/router.ts'
import type { Output } from '../../../node-agent/vrrp/slot.ts'
import { type Centiseconds, milliseconds } from '../../../node-agent/vrrp/time.ts'
import { formatAddress } from '../../../node-agent/wire/address.ts'
import { address, at, virtualRouter } from '../../support/routers.ts'

const prefix = (text: string) => ({ address: address(text), prefixLength: 24 })
const up: InterfaceStatus = { up: true, addresses: [prefix('192.0.2.2')] }

function running(routers: readonly VirtualRouter[]): Engine {
  const engine = createEngine({ routers })
  for (const name of ['eth0', 'eth1']) engine.handle({ kind: 'interface', interface: name, status: up }, at(0))
  engine.tick(at(3_700))
  engine.takeOutputs()
  return engine
}

function word(output: Output): string {
  if (output.kind === 'transition') return `${output.service} ${output.from}-${output.to}`
  if (output.kind === 'send-advertisement') return `${output.router.name} sends ${output.priority}`
  if (!('router' in output)) return output.kind
  const only = output.only?.map((each) => formatAddress(each.address)).join(' ')
  return `${output.router.name} ${output.kind.split('-')[0]} ${only ?? 'all'}`
}

function reconfigure(engine: Engine, routers: readonly VirtualRouter[], ms = 4_000): string[] {
  engine.handle({ kind: 'reconfigure', routers, standings: {} }, at(ms))
  return engine.takeOutputs().map(word)
}

const said = (words: readonly string[]): string[] => words.filter((each) => each !== 'standing')

test('what is the same is not touched, not even its timers', () => {
  const engine = running([virtualRouter()])
  const before = engine.nextDeadline()
  expect(said(reconfigure(engine, [virtualRouter()]))).toEqual([])
  expect(engine.nextDeadline()).toBe(before)
  expect(engine.services().web).toMatchObject({ state: 'active', transitions: 2 })
})

describe('an active router', () => {
  test('that gains an address installs and announces that one, and says nothing else', () => {
    const engine = running([virtualRouter()])
    const addresses = [prefix('192.0.2.100'), prefix('192.0.2.101')]
    const more = virtualRouter({ addresses, riders: [prefix('fd77::50')] })
    expect(said(reconfigure(engine, [more]))).toEqual([
      'web install 192.0.2.101 fd77::50',
      'web announce 192.0.2.101 fd77::50',
    ])
    expect(said(reconfigure(engine, [virtualRouter()]))).toEqual(['web remove 192.0.2.101 fd77::50'])
  })

  test('takes on a priority by its next advertisement, which comes at once', () => {
    const engine = running([virtualRouter()])
    expect(said(reconfigure(engine, [virtualRouter({ priority: 180 })]))).toEqual(['web sends 180'])
    expect(engine.services().web).toMatchObject({ state: 'active', priority: 180, basePriority: 180 })
  })

  test('does not wait out an interval that was longer', () => {
    const engine = running([virtualRouter({ advertisementInterval: 4_000 as Centiseconds })])
    engine.tick(at(200_000))
    engine.takeOutputs()
    reconfigure(engine, [virtualRouter()], 200_100)
    expect(engine.nextDeadline()).toBeLessThanOrEqual(at(201_100))
  })

  test('that is removed resigns, and answers until its successor is heard or its time is over', () => {
    const engine = running([virtualRouter(), virtualRouter({ name: 'api', vrid: 52 })])
    expect(said(reconfigure(engine, [virtualRouter()]))).toEqual(['api sends 0', 'api active-initialize'])
    expect(Object.keys(engine.services())).toEqual(['web'])
    expect(engine.isLeaving()).toBe(true)
    engine.tick(at(5_030))
    expect(engine.takeOutputs().map(word)).toContain('api remove all')
    expect(engine.isLeaving()).toBe(false)
    expect(engine.routers().map(({ name }) => name)).toEqual(['web'])
  })

  test('that becomes another one leaves as what it was, and begins anew', () => {
    const engine = running([virtualRouter()])
    const moved = virtualRouter({ interface: 'eth1' })
    expect(said(reconfigure(engine, [moved]))).toEqual([
      'web sends 0',
      'web active-initialize',
      'web initialize-backup',
    ])
    expect(engine.services().web).toMatchObject({ state: 'backup' })
  })

  test('that was removed and is stopped while it leaves ends all the same', () => {
    const engine = running([virtualRouter()])
    reconfigure(engine, [])
    engine.handle({ kind: 'stop' }, at(4_001))
    expect(engine.finished()).toBe(false)
    engine.handle({ kind: 'interface', interface: 'eth0', status: { ...up, up: false } }, at(4_002))
    expect(engine.takeOutputs().map(word)).toContain('web remove all')
    expect(engine.finished()).toBe(true)
  })
})

test('a backup that gains an address has none to install', () => {
  const engine = createEngine({ routers: [virtualRouter()] })
  engine.handle({ kind: 'interface', interface: 'eth0', status: up }, at(0))
  engine.takeOutputs()
  const more = virtualRouter({ addresses: [prefix('192.0.2.100'), prefix('192.0.2.101')] })
  expect(said(reconfigure(engine, [more], 10))).toEqual([])
})

test('a router that is new starts where its interface is known, and waits where it is not', () => {
  const engine = running([virtualRouter()])
  const api = virtualRouter({ name: 'api', vrid: 52 })
  const later = virtualRouter({ name: 'later', interface: 'eth2', startDelay: milliseconds(5_000) })
  expect(said(reconfigure(engine, [virtualRouter(), api, later]))).toEqual(['api initialize-backup'])
  engine.handle({ kind: 'interface', interface: 'eth2', status: up }, at(4_100))
  // A start delay is for the start of the machine.
  expect(engine.takeOutputs().map(word)).toEqual(['later initialize-backup'])
})
