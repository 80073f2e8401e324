/** Our agent and a neighbour that disagree, cannot hear each other, or come and go: T-69, T-71, T-72 and T-73. */
import { expect, test } from 'vitest'
import { startFrr } from '../../infra/lab/frr.ts'
import { watchHolding } from '../../infra/lab/holding.ts'
import { startKeepalived } from '../../infra/lab/keepalived.ts'
import type { RouterProcess } from '../../infra/lab/router-process.ts'
import { createLab, type Lab } from '../../infra/lab/topology.ts'
import { expectAtRest, startWeb, statusOf, until, vip } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { bothOf, describeWith, frr, keepalived, nftables } from '../support/peers.ts'
import { type Frame, startTap } from '../support/tap.ts'

const intervalMs = 100
/** What a busy machine may add to a timer. */
const slackMs = 150

const startOurs = (made: Lab, node: string, priority: number) =>
  startWeb(made, node, { priority, checksum: 'rfc5798', interval: `${intervalMs}ms` })

const startTheirs = (made: Lab, node: string, priority: number, addresses = [`${vip}/24`]) =>
  startKeepalived(made, node, { priority, intervalMs, addresses, tuned: true })

const advertOf =
  (made: Lab, node: string) =>
  (frame: Frame): boolean =>
    frame.kind === 'vrrp' && frame.source === made.addressOf(node)
const timedLab = repeatedWhenHeldUp(lab)
// Restarts mostly wait.
const atOnce = { ...timedLab, options: { ...timedLab.options, concurrent: true } }

describeWith(bothOf(bothOf(atOnce, keepalived), nftables), 'keepalived as a neighbour', () => {
  test('T-69: with one address more, keepalived 2.2.7 hears nothing of us and is active beside us; we say so', async ({
    skip,
  }) => {
    await using made = await createLab({ nodes: ['n1', 'n2'] })
    const { stdout: version } = await made.run('sh', ['-c', 'keepalived --version 2>&1'])
    skip(!/Keepalived v2\.[0-2]\./.test(version), 'only versions before 2.3.3 are known to discard what differs')
    const n1 = await startOurs(made, 'n1', 200)
    await n1.untilState('active')
    const n2 = await startTheirs(made, 'n2', 100, [`${vip}/24`, '10.77.0.51/24'])
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n1', 'n2'])
    const odd = await n1.untilEvent(({ event }) => event === 'odd')
    expect(odd).toMatchObject({ service: 'web', source: made.addressOf('n2') })
    expect(JSON.stringify(odd)).toContain('address-list-differs')
    await n2.until(({ text }) => /expected|address|mismatch|differ/i.test(text))
    await until(async () => (await statusOf(n1)).services.web!.received > 0, 'n1 counts what it hears')
    expect(n1.state()).toBe('active')
  })

  test.each([
    { winner: 'we', loser: 'they' },
    { winner: 'they', loser: 'we' },
  ])(
    'T-72: the switch forwards nothing of ours for a while; then $loser leave within an interval, and $winner say where the address is',
    async ({ winner }) => {
      await using made = await createLab({ nodes: ['n1', 'n2'] })
      const holding = await watchHolding(made, vip)
      const first = winner === 'we' ? await startOurs(made, 'n1', 200) : await startTheirs(made, 'n1', 200)
      await first.untilState('active')
      const second = winner === 'we' ? await startTheirs(made, 'n2', 100) : await startOurs(made, 'n2', 100)
      await second.untilState('backup')
      const tap = await startTap(made)
      const ourPort = winner === 'we' ? 'n1' : 'n2'

      await made.run('bridge', ['link', 'set', 'dev', ourPort, 'state', 'disabled'])
      await second.untilState('active')
      await holding.until(['n1', 'n2'])
      // If the loser heard the other one first, it would leave without a word, and nobody would know of the split.
      await made.lose({ from: 'n1', to: 'n2' })
      const split = tap.frames.length
      await made.run('bridge', ['link', 'set', 'dev', ourPort, 'state', 'forwarding'])
      const { from } = await tap.until(advertOf(made, 'n1'), { from: split })
      await tap.until(
        (frame) => frame.kind === 'arp' && frame.gratuitous && frame.address === vip && frame.from === from,
        { from: split },
      )
      const healed = await made.heal()
      expect((await holding.until(['n1'])) - healed).toBeLessThan(intervalMs + slackMs)
      await expectAtRest(made, { holder: 'n1', agents: [] })
      expect([first.state(), second.state()]).toEqual(['active', 'backup'])
    },
  )

  test.each([
    { active: 'we', restarted: 'they', start: startTheirs, startActive: startOurs },
    { active: 'they', restarted: 'we', start: startOurs, startActive: startTheirs },
  ])(
    'T-73: $restarted are started twenty times as backup, while $active stay active without a pause',
    async ({ start, startActive }) => {
      await using made = await createLab({ nodes: ['n1', 'n2'] })
      const holding = await watchHolding(made, vip)
      const active: RouterProcess = await startActive(made, 'n1', 200)
      await holding.until(['n1'])
      const tap = await startTap(made)
      await tap.until(advertOf(made, 'n1'))
      const changes = holding.changes.length
      for (let restarts = 0; restarts < 20; restarts += 1) {
        const backup = await start(made, 'n2', 100)
        await backup.untilState('backup')
        expect(await backup.stop()).toBe(0)
      }
      expect(holding.changes.length).toBe(changes)
      expect(active.state()).toBe('active')
      const adverts = tap.frames.filter(({ kind }) => kind === 'vrrp')
      expect(adverts.filter((frame) => !advertOf(made, 'n1')(frame))).toEqual([])
      const gaps = adverts.slice(1).map(({ at }, i) => at - adverts[i]!.at)
      expect(gaps.length).toBeGreaterThan(10)
      expect(Math.max(...gaps)).toBeLessThan(2 * intervalMs + slackMs)
    },
  )
})

describeWith(bothOf(atOnce, frr), 'FRR as a neighbour', () => {
  test('T-71: it names the global IPv6 address first, against the RFC; we heed it all the same, and say so', async () => {
    await using made = await createLab({ nodes: ['n1', 'n2'], client: false })
    const [linkLocal, global] = ['fe80::50/64', 'fd77::50/64']
    const holding = await watchHolding(made, 'fd77::50')
    const n1 = await startFrr(made, 'n1', { priority: 200, intervalMs, addresses: [global, linkLocal] })
    await holding.until(['n1'])
    const n2 = await startWeb(made, 'n2', {
      priority: 100,
      addresses: [linkLocal, global],
      interval: `${intervalMs}ms`,
    })
    await n2.untilState('backup')
    const odd = await n2.untilEvent(({ event }) => event === 'odd')
    expect(JSON.stringify(odd)).toContain('first-not-link-local')
    expect(await holding.change(5 * intervalMs)).toBeUndefined()
    await n1.stop()
    await n2.untilState('active')
    await holding.until(['n2'])
  })
})
