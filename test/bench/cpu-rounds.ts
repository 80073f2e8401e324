/**
 * One round of the CPU bench: a fresh lab, an active node and its backup with the same virtual routers, and what both
 * processes use while nothing happens but advertisements.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMs } from '../../infra/lab/clock.ts'
import { familyOf } from '../../infra/lab/program.ts'
import type { RouterProcess } from '../../infra/lab/router-process.ts'
import { createLab, type Lab } from '../../infra/lab/topology.ts'
import { cpuNanoseconds, memoryOf } from '../support/usage.ts'
import { changesLogged, heldBy, isSettled, type Program, startManyPair } from './many.ts'

export type Round = {
  readonly program: Program
  readonly count: number
  readonly intervalMs: number
  readonly seconds: number
}

export type Usage = {
  /** Of one processor, in percent: the program with its children, and its VRRP process alone. */
  readonly cpu: number
  readonly vrrpCpu: number
  /** Mebibytes. */
  readonly pss: number
  readonly rss: number
  readonly vrrpPss: number
}

export type RoundResult = {
  readonly active: Usage
  readonly backup: Usage
  /** Packets a second that left the active node and reached the backup. */
  readonly sent: number
  readonly heard: number
  /** Changes of state, of all routers on both nodes, while nothing should change. */
  readonly changes: number
  /** How many of its addresses each had at the end. */
  readonly held: readonly [active: number, backup: number]
}

/** Second bursts of gratuitous ARP come five seconds after the first ones, for both. */
const quietAfterMs = 8_000

export async function cpuRound({ program, count, intervalMs, seconds }: Round): Promise<RoundResult> {
  await using lab = await createLab({ nodes: ['n1', 'n2'], client: false })
  const { n1, n2 } = await startManyPair(lab, { program, count, intervalMs })
  await isSettled(lab, count, 30_000)
  await sleep(quietAfterMs)
  const changed = (): number => changesLogged(n1) + changesLogged(n2)
  const before = { packets: await packetsOf(lab), n1: cpuOf(n1), n2: cpuOf(n2), changes: changed(), at: nowMs() }
  await sleep(seconds * 1000)
  const tookMs = nowMs() - before.at
  const [active, backup] = [usageSince(n1, before.n1, tookMs), usageSince(n2, before.n2, tookMs)]
  const packets = await packetsOf(lab)
  return {
    active,
    backup,
    sent: ((packets.sent - before.packets.sent) / tookMs) * 1000,
    heard: ((packets.heard - before.packets.heard) / tookMs) * 1000,
    changes: changed() - before.changes,
    held: [await heldBy(lab, 'n1'), await heldBy(lab, 'n2')],
  }
}

type Cpu = { readonly all: number; readonly vrrp: number }

function usageSince(router: RouterProcess, before: Cpu, tookMs: number): Usage {
  const after = cpuOf(router)
  const percent = (nanoseconds: number): number => nanoseconds / 1e4 / tookMs
  const memory = familyOf(router.program.pid).map(memoryOf)
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
  return {
    cpu: percent(after.all - before.all),
    vrrpCpu: percent(after.vrrp - before.vrrp),
    pss: sum(memory.map(({ pss }) => pss)),
    rss: sum(memory.map(({ rss }) => rss)),
    vrrpPss: memory[1]?.pss ?? 0,
  }
}

/** Both programs are a parent that watches over one child, and the child speaks VRRP. */
function cpuOf({ node, program }: RouterProcess): Cpu {
  const each = familyOf(program.pid).map(cpuNanoseconds)
  if (each.length !== 2)
    throw new Error(`the program on ${node} has ${each.length} processes, not a parent and a child`)
  return { all: each[0]! + each[1]!, vrrp: each[1]! }
}

async function packetsOf(lab: Lab): Promise<{ readonly sent: number; readonly heard: number }> {
  type Link = { stats64: { rx: { packets: number }; tx: { packets: number } } }
  const of = async (node: string): Promise<Link['stats64']> => {
    const { stdout } = await lab.run('ip', ['-n', node, '-s', '-j', 'link', 'show', 'dev', 'eth0'])
    return (JSON.parse(stdout) as Link[])[0]!.stats64
  }
  const [n1, n2] = await Promise.all([of('n1'), of('n2')])
  return { sent: n1.tx.packets, heard: n2.rx.packets }
}
