/** Routers with a virtual MAC address on the wire: who answers ARP, from where frames leave, and what is put back. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Lab } from '../../infra/lab/topology.ts'
import { labFor, until } from '../support/agents.ts'
import { arpIn, arpRequest, echoRequest, type Frames, type RawFrame, startFrames } from '../support/frames.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { macRouter, startMacRouters, vip, virtualMac } from '../support/mac-router.ts'
import { describeWith } from '../support/peers.ts'
import { address } from '../support/routers.ts'

/** A host that exists only in frames, so that no kernel answers or asks in its name. */
const host = { mac: '02:77:ff:00:00:02', address: '10.77.0.90' }
const n1 = { mac: '02:77:00:00:4d:01', address: '10.77.0.1' }

async function physicalMac(made: Lab, node: string): Promise<string> {
  const { stdout } = await made.run('ip', ['-n', node, '-j', 'link', 'show', 'eth0'])
  return (JSON.parse(stdout) as { address: string }[])[0]!.address
}

/** Who answers for `target`: the Ethernet source and the sender's MAC address of each reply. */
async function answersTo(frames: Frames, target: string, ms = 200): Promise<string[]> {
  frames.send(arpRequest(host, target))
  const seen = await frames.during(ms)
  return seen.flatMap((each) => {
    const arp = arpIn(each)
    const isAnswer = arp?.operation === 'reply' && each.to === host.mac && arp.sender === target
    return isAnswer ? [each.from === arp.senderMac ? each.from : `${each.from} says ${arp.senderMac}`] : []
  })
}

async function sysctl(made: Lab, node: string, key: string): Promise<string> {
  const { stdout } = await made.run('cat', [`/proc/sys/net/ipv4/conf/${key}`], { in: node })
  return stdout.trim()
}

const fromVirtualMac = ({ from }: RawFrame): boolean => from === virtualMac

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'a virtual MAC address', () => {
  test('T-46: active, it alone answers for the virtual address, once; the interface for its own', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const frames = await startFrames(made, 'client')
    const router = await startMacRouters(made, 'n1', [macRouter()])
    await router.untilState('active')
    const physical = await physicalMac(made, 'n1')
    for (let i = 0; i < 5; i += 1) {
      expect(await answersTo(frames, vip)).toEqual([virtualMac])
      expect(await answersTo(frames, n1.address)).toEqual([physical])
    }
    expect(await router.stop()).toBe(0)
  })
})
void [readFileSync, join, until, echoRequest, address, fromVirtualMac, sysctl]
