/** Our agent and keepalived in one virtual router, beyond the matrix: what clients notice, and where they differ. */
import { expect, test } from 'vitest'
import { type KeepalivedOptions, startKeepalived } from '../../infra/lab/keepalived.ts'
import type { RouterProcess } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { expectAtRest, labFor, startWeb, statusOf, until, vip } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { bothOf, describeWith, keepalived, nftables } from '../support/peers.ts'
import { type Frame, startTap } from '../support/tap.ts'

/** What keepalived 2.2.7 sends and accepts: the checksum with RFC 5798's pseudo-header. */
const ours = { checksum: 'rfc5798' }

function startTheirs(made: Lab, node: string, options: Partial<KeepalivedOptions> & { priority: number }) {
  return startKeepalived(made, node, { intervalMs: 100, addresses: [`${vip}/24`], ...options })
}

/**
 * keepalived removes its address as soon as it hears a better router, and does not go on answering until the hosts
 * know. Probes of those few milliseconds may be lost; between two of our own agents none is.
 */
const lostToItsHaste = 10

/** Neither has discarded anything of the other's, nor heard an interval or address list that is not its own. */
async function expectUnderstood(theirs: RouterProcess, us: Awaited<ReturnType<typeof startWeb>>): Promise<void> {
  expect(theirs.log.filter(({ text }) => /invalid|mismatch|differ/i.test(text))).toEqual([])
  const { discards } = await statusOf(us)
  expect(Object.entries(discards.eth0!).filter(([, count]) => count > 0)).toEqual([])
  expect(us.events().filter(({ event }) => event === 'odd')).toEqual([])
}

const timedLab = repeatedWhenHeldUp(lab)

describeWith(bothOf(timedLab, keepalived), 'keepalived', () => {
  test.each([{ intervalMs: 100 }, { intervalMs: 1_000 }])(
    'at an interval of $intervalMs ms: we leave without a lost probe, and come back with few lost',
    async ({ intervalMs }) => {
      const made = await labFor()
      const us = { ...ours, interval: `${intervalMs}ms` }
      const [n1, n2] = await Promise.all([
        startWeb(made, 'n1', us),
        startTheirs(made, 'n2', { priority: 100, intervalMs }),
      ])
      await n1.untilState('active')
      await made.untilHeldBy(vip, ['n1'])
      const prober = await made.probe({ target: vip })
      await prober.answered()
      prober.mark()
      expect(await n1.stop()).toBe(0)
      await n2.untilState('active')
      await made.untilHeldBy(vip, ['n2'])
      const left = await prober.report()
      expect(left.sent).toBeGreaterThan(intervalMs / 2)
      expect(left.lost).toBe(0)
      prober.mark()
      const again = await startWeb(made, 'n1', us)
      await again.untilState('active')
      await n2.untilState('backup')
      await expectAtRest(made, { holder: 'n1', agents: [again] })
      const back = await prober.report()
      expect(back.sent).toBeGreaterThan(3 * intervalMs)
      expect(back.lost).toBeLessThanOrEqual(lostToItsHaste)
      await expectUnderstood(n2, again)
    },
  )

  test('preempt: false: we come back as its backup although we have the higher priority', async () => {
    const made = await labFor()
    const n2 = await startTheirs(made, 'n2', { priority: 100 })
    await n2.untilState('active')
    const n1 = await startWeb(made, 'n1', { ...ours, preempt: false })
    await n1.untilState('backup')
    // T-19, T-20: ten advertisements: thrice the time in which we would have preempted.
    const tap = await startTap(made)
    while (tap.frames.filter(fromTheirs).length < 10) await tap.until(fromTheirs, { from: tap.frames.length })
    await expectAtRest(made, { holder: 'n2', agents: [n1] })
    await n2.stop()
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1] })
    await expectUnderstood(n2, n1)
  })

  const fromTheirs = (frame: Frame): boolean => frame.kind === 'vrrp' && frame.source === '10.77.0.2'

  test('T-64: with the checksum of RFC 9568 keepalived 2.2.7 hears nothing of us, and is active beside us', async ({
    skip,
  }) => {
    const made = await labFor()
    const n1 = await startWeb(made, 'n1')
    await n1.untilState('active')
    const n2 = await startTheirs(made, 'n2', { priority: 100 })
    const version = await made.run('sh', ['-c', 'keepalived --version 2>&1'])
    skip(!/Keepalived v2\.(0|1|2)\./.test(version.stdout), 'only old versions are known to know one form only')
    await n2.until(({ text }) => /Invalid VRRPv3 checksum/.test(text))
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n1', 'n2'])
    // We accept both forms, so we know of the rival, and the documented setting is the remedy.
    await until(async () => (await statusOf(n1)).services.web!.received > 0, 'n1 counts what it hears')
    expect(n1.state()).toBe('active')
  })
})

describeWith(bothOf(bothOf(timedLab, keepalived), nftables), 'keepalived of equal priority', () => {
  test.each([
    { name: 'they have the higher address', theirs: 'n2', us: 'n1' },
    { name: 'we have the higher address', theirs: 'n1', us: 'n2' },
  ])('$name: of two active ones the higher address stays, and nobody preempts', async (nodes) => {
    const made = await labFor()
    // Whoever has the lower address is first, and stays although the other comes.
    const start = async (node: string): Promise<RouterProcess> =>
      node === nodes.us
        ? await startWeb(made, node, { ...ours, priority: 150 })
        : await startTheirs(made, node, { priority: 150 })
    const low = await start('n1')
    await low.untilState('active')
    const high = await start('n2')
    await high.untilState('backup')
    await expectAtRest(made, { holder: 'n1', agents: [] })
    expect([low.state(), high.state()]).toEqual(['active', 'backup'])

    // The other one no longer hears it, is active too, and wins the tie.
    await made.lose({ from: 'n1', to: 'n2' })
    await high.untilState('active')
    await low.untilState('backup')
    await made.untilHeldBy(vip, ['n2'])
    await made.heal()
    await expectAtRest(made, { holder: 'n2', agents: [] })
    expect([low.state(), high.state()]).toEqual(['backup', 'active'])
    const prober = await made.probe({ target: vip })
    await prober.answered()
  })
})
