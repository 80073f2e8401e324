/** The watch of who holds an address tells what the kernels did, when, and for how long two held it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nowMs } from '../../infra/lab/clock.ts'
import { watchHolding } from '../../infra/lab/holding.ts'
import { createLab } from '../../infra/lab/topology.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'

const address = '10.77.0.50'

describeWith(lab, 'the watch of holders', () => {
  test('an address comes, is on two nodes for a while, and goes; other addresses do not count', async () => {
    await using made = await createLab({ nodes: ['n1', 'n2'], client: false })
    const holding = await watchHolding(made, address)
    const ip = (node: string, ...args: string[]) => made.run('ip', args, { in: node })
    expect(holding.now()).toEqual([])
    expect(() => holding.since('n1')).toThrow('n1 does not hold 10.77.0.50')

    await ip('n2', 'addr', 'add', '10.77.0.5/24', 'dev', 'eth0')
    const before = nowMs()
    await ip('n1', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await holding.until(['n1'])
    // Two clocks are compared, and both are read with what a process switch takes between.
    expect(holding.since('n1')).toBeGreaterThan(before - 5)
    expect(holding.since('n1')).toBeLessThan(nowMs() + 5)
    expect(await holding.change(50)).toBeUndefined()

    await ip('n2', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await holding.until(['n1', 'n2'])
    const both = nowMs()
    await sleep(60)
    const going = holding.change(10_000)
    await ip('n1', 'addr', 'del', `${address}/24`, 'dev', 'eth0')
    expect((await going)?.nodes).toEqual(['n2'])
    expect(holding.overlapMs(before)).toBeGreaterThan(50)
    expect(holding.overlapMs(both + 10_000)).toBe(0)
    await expect(holding.until(['n1'], 20)).rejects.toThrow('held by [n2], not by [n1]')
  })

  test('a node without carrier, and a device without it, hold nothing', async () => {
    await using made = await createLab({ nodes: ['n1'], client: false })
    const holding = await watchHolding(made, address)
    const input = [
      'ip link add name macvlan0 link eth0 type macvlan mode bridge',
      `ip addr add ${address}/24 dev macvlan0`,
      'ip link set macvlan0 up',
    ].join('\n')
    await made.run('sh', ['-se'], { in: 'n1', input })
    await holding.until(['n1'])
    await made.run('ip', ['link', 'set', 'macvlan0', 'protodown', 'on'], { in: 'n1' })
    await holding.until([])
    await made.run('ip', ['link', 'set', 'macvlan0', 'protodown', 'off'], { in: 'n1' })
    await holding.until(['n1'])
    await made.cableOut('n1')
    await holding.until([])
    await made.cableIn('n1')
    await holding.until(['n1'])
    await made.run('ip', ['link', 'del', 'macvlan0'], { in: 'n1' })
    await holding.until([])
  })
})
