/**
 * Mutated packets, as many as wanted, through `admit` and the engine, each judged by the oracle.
 *
 * Packet number i depends on the seed and i alone, and all routers are made anew at each multiple of `blockLength`: a
 * run from the start of a block repeats what happened there, whatever was before.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { admit } from '../../node-agent/vrrp/admit.ts'
import type { Instant } from '../../node-agent/vrrp/time.ts'
import { fromHex } from '../support/bytes.ts'
import { createRandom, type Random } from '../support/prng.ts'
import { mutate } from './mutate.ts'
import { hexOf, type Judgement, judgeByTheBook } from './oracle.ts'
import { createWorlds, type World } from './worlds.ts'

export const blockLength = 10_000

/** Two bursts of announcements and a refresh, and the advertisement. */
const mostTicks = 12

export type Progress = {
  readonly packets: number
  readonly admitted: number
  readonly discards: Readonly<Record<string, number>>
}

export type Fuzz = { readonly seed: number; readonly from: number; readonly count: number }

/** The first thing that did not hold; `packet` is the number to come back to. */
export class FuzzFailure extends Error {
  readonly packet: number

  constructor(packet: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.packet = packet
  }
}

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../node-agent/vrrp-vectors.json'), 'utf8'),
) as readonly { readonly layer: string; readonly hex?: string }[]
const bases = vectors.filter(({ layer }) => layer === 'vrrp').map(({ hex }) => fromHex(hex!))

/** Those of a family and version that a router of this world speaks: changed, they get further than others. */
function basesFor({ routers }: World): readonly Uint8Array[] {
  return bases.filter((bytes) => {
    const [family, header] = bytes[0]! >> 4 === 6 ? ['ipv6', 40] : ['ipv4', (bytes[0]! & 0x0f) * 4]
    return routers.some((router) => router.family === family && router.version === bytes[Number(header)]! >> 4)
  })
}

/** `goesOn` is asked after each block; the count that was reached is returned. */
export function fuzz({ seed, from, count }: Fuzz, goesOn: (progress: Progress) => boolean = () => true): Progress {
  const discards: Record<string, number> = {}
  let [packets, admitted] = [0, 0]
  let worlds = createWorlds()
  for (let number = from - (from % blockLength); number < from + count; number += 1) {
    if (number % blockLength === 0) worlds = createWorlds()
    const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b))
    const world = random.pick(worlds)
    const packet = mutate(random.chance(0.9) ? basesFor(world) : bases, random)
    const judgement = attempt(world, packet, random, number)
    // What comes before `from` in its block is repeated, and not counted.
    if (number >= from) {
      packets += 1
      if (judgement.reason === null) admitted += 1
      else discards[judgement.reason] = (discards[judgement.reason] ?? 0) + 1
    }
    if ((number + 1) % blockLength > 0 && number + 1 < from + count) continue
    for (const one of worlds) checkCounters(one, number)
    if (!goesOn({ packets, admitted, discards })) break
  }
  return { packets, admitted, discards }
}

function attempt(world: World, packet: Uint8Array, random: Random, number: number): Judgement {
  try {
    const bytes = amidPoison(packet, random)
    const judgement = judgeByTheBook(world.routers, world.own, packet)
    compare(judgement, world, bytes, packet, number)
    handle(world, bytes, judgement, random, number)
    return judgement
  } catch (cause) {
    if (cause instanceof FuzzFailure) throw cause
    throw new FuzzFailure(number, `${cause instanceof Error ? cause.stack : cause}\npacket ${hexOf(packet)}`, { cause })
  }
}

/** In the middle of other octets, as in a receive buffer: who reads past the end reads what is not zero. */
function amidPoison(packet: Uint8Array, random: Random): Uint8Array {
  const margin = 1 + Math.floor(random.next() * 64)
  const buffer = new Uint8Array(packet.length + 2 * margin).fill(0xa5)
  buffer.set(packet, margin)
  return buffer.subarray(margin, margin + packet.length)
}

/** Twice: the second time it may be recalled instead of judged. */
function compare(
  judgement: Judgement,
  { receiver }: World,
  bytes: Uint8Array,
  packet: Uint8Array,
  number: number,
): void {
  for (const time of ['at first', 'again']) {
    const admission = admit(receiver, bytes)
    const said =
      admission.kind === 'discard'
        ? { reason: admission.reason }
        : {
            reason: null,
            source: hexOf(admission.event.source),
            priority: admission.event.priority,
            centiseconds: admission.event.maxAdvertiseInterval,
            odd: admission.odd,
          }
    const [is, should] = [JSON.stringify(said), JSON.stringify(judgement)]
    if (is !== should)
      throw new FuzzFailure(number, `${time} admit says ${is}, the rules ${should}\npacket ${hexOf(packet)}`)
  }
}

/** what is discarded changes no deadline and asks for nothing. */
function handle(world: World, bytes: Uint8Array, judgement: Judgement, random: Random, number: number): void {
  const { engine } = world
  world.now = (world.now + Math.floor(random.next() * 200_000)) as Instant
  const before = engine.nextDeadline()
  engine.handle({ kind: 'datagram', interface: 'eth0', bytes }, world.now)
  if (judgement.reason !== null) {
    world.discards.set(judgement.reason, (world.discards.get(judgement.reason) ?? 0) + 1)
    const outputs = engine.takeOutputs()
    if (outputs.length > 0 || engine.nextDeadline() !== before)
      throw new FuzzFailure(number, `a discarded packet (${judgement.reason}) changed something: ${hexOf(bytes)}`)
  }
  settle(world, number)
}

/** A timer that is late by many announcements makes them one a tick: so many and no more. */
function settle({ engine, now }: World, number: number): void {
  for (let ticks = 0; ticks < mostTicks; ticks += 1) {
    engine.tick(now)
    engine.takeOutputs()
    const next = engine.nextDeadline()
    if (next === undefined || next > now) return
  }
  throw new FuzzFailure(
    number,
    `${mostTicks} ticks left a deadline that has passed (${engine.nextDeadline()} at ${now})`,
  )
}

function checkCounters({ engine, discards }: World, number: number): void {
  const counted = engine.discards().eth0 ?? {}
  for (const [reason, count] of Object.entries(counted)) {
    const expected = discards.get(reason) ?? 0
    if (count !== expected) throw new FuzzFailure(number, `counter ${reason} is ${count}, not ${expected}`)
  }
}
