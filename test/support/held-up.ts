/**
 * Tests of timing in a virtual machine, whose host may stop it for longer than routers wait for each other.
 *
 * While a processor is taken away nobody advertises, answers or measures, and a failure proves nothing. The kernel
 * counts that time as stolen. A test that failed while much was stolen is repeated; any other failure is one.
 */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeEach } from 'vitest'
import type { Requirement } from './peers.ts'

/** Of what is stolen from one processor within about a tenth of a second; ordinary sharing of a host stays below. */
const muchMs = 50
const sampleMs = 100

/** The requirement for `describeWith`, with that repetition. To be called once in a test file, outside of any `describe`. */
export function repeatedWhenHeldUp(requirement: Requirement): Requirement {
  let last = stolenMs()
  /** Of every test that runs, by its id: several may run at once. */
  const worstMs = new Map<string, number>()
  const sample = (): void => {
    const now = stolenMs()
    const most = Math.max(0, ...now.map((each, i) => each - (last[i] ?? 0)))
    for (const [id, worst] of worstMs) worstMs.set(id, Math.max(worst, most))
    last = now
  }
  const timer = setInterval(sample, sampleMs).unref()
  afterAll(() => clearInterval(timer))
  beforeEach(({ task }) => {
    sample()
    worstMs.set(task.id, 0)
  })
  afterEach(({ task }) => {
    sample()
    const worst = worstMs.get(task.id) ?? 0
    worstMs.delete(task.id)
    if (task.result?.state !== 'fail' || worst < muchMs) return
    throw new Error(`${heldUp} for ${worst} ms while this test ran, so its failure proves nothing`)
  })
  // An expression, since vitest 5.1 drops a condition that is a function and then repeats every failure.
  return { ...requirement, options: { retry: { count: 3, delay: 2_000, condition: new RegExp(heldUp) } } }
}

const heldUp = 'the host took a processor away'

/** Since boot, of each processor; zeros or nothing where no host is above us. */
function stolenMs(): number[] {
  const ticksPerSecond = 100
  const stealColumn = 8
  const lines = readFileSync('/proc/stat', 'utf8').split('\n')
  const processors = lines.filter((line) => /^cpu\d/.test(line))
  return processors.map((line) => (Number(line.split(/\s+/)[stealColumn]) * 1000) / ticksPerSecond)
}
