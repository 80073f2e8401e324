/** Checks that come, go and change while others go on. */
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Check } from '../../../node-agent/checks/check.ts'
import { type Health, unknownHealth } from '../../../node-agent/checks/health.ts'
import { runChecks } from '../../../node-agent/checks/runner.ts'
import { eventually } from '../../support/eventually.ts'

const exec = (program: string, changes: Partial<Check> = {}): Check => ({
  probe: { kind: 'exec', command: [program] },
  ...{ intervalMs: 50, timeoutMs: 50_000, rise: 1, fall: 1 },
  ...changes,
})

function begin(checks: Readonly<Record<string, Check>>) {
  const verdicts: string[] = []
  const said = (check: string, { verdict }: Health): void => void verdicts.push(`${check} ${verdict}`)
  const runner = runChecks(checks, said)
  onTestFinished(() => runner.stop())
  const verdictOf = (check: string) => runner.healthOf(check).verdict
  const until = (check: string, verdict: string) =>
    eventually(
      () => verdictOf(check),
      (found) => expect(found).toBe(verdict),
    )
  return { ...runner, verdicts, verdictOf, until }
}

/** Counts who connects. */
async function listener(): Promise<{ readonly check: Check; readonly heard: () => number }> {
  let count = 0
  const server = createServer((socket) => {
    count += 1
    socket.destroy()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  return { check: { ...exec('/'), probe: { kind: 'tcp', host: '127.0.0.1', port } }, heard: () => count }
}

test('one that is the same goes on with its verdict, and another beside it begins', async () => {
  const { check, heard } = await listener()
  const it = begin({ same: { ...check, intervalMs: 3_600_000 } })
  await it.until('same', 'passing')
  it.reconfigure({ same: { ...check, intervalMs: 3_600_000 }, more: exec('/bin/true') })
  await it.until('more', 'passing')
  expect(it.verdicts).toEqual(['same passing', 'more passing'])
  // Its next probe is an hour away; one that had been started anew would have probed at once.
  expect(heard()).toBe(1)
})

test('one that is gone is known to nobody, and probes no more', async () => {
  const { check, heard } = await listener()
  const it = begin({ gone: check, other: exec('/bin/true') })
  await it.until('gone', 'passing')
  it.reconfigure({ other: exec('/bin/true', { intervalMs: 51 }) })
  expect(it.healthOf('gone')).toEqual(unknownHealth)
  const before = heard()
  it.reconfigure({ other: exec('/bin/false') })
  await it.until('other', 'failing')
  // At most the probe that was under way.
  expect(heard()).toBeLessThanOrEqual(before + 1)
})

test('a changed one keeps its verdict until its own probes speak against it, as often as it wants', async () => {
  const it = begin({ app: exec('/bin/true') })
  await it.until('app', 'passing')
  it.reconfigure({ app: exec('/bin/false', { fall: 3 }) })
  expect(it.verdictOf('app')).toBe('passing')
  await it.until('app', 'failing')
  expect(it.verdicts).toEqual(['app passing', 'app failing'])
})
