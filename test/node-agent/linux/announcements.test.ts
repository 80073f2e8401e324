/** Announcements of IPv6 addresses that the kernel does not answer for yet. */
import { expect, test } from 'vitest'
import { createAnnouncements } from '../../../node-agent/linux/announcements.ts'
import type { Announcement } from '../../../node-agent/ports.ts'
import { formatAddress } from '../../../node-agent/wire/address.ts'
import { address, at } from '../../support/routers.ts'

const of = (text: string): Announcement => ({ interface: 'eth0', mac: null, address: address(text) })

function world() {
  const there = new Set<string>()
  const sent: string[] = []
  const it = createAnnouncements(
    (ready) => sent.push(...ready.map((each) => formatAddress(each.address))),
    (each) => there.has(formatAddress(each.address)),
  )
  return { ...it, there, sent }
}

test('IPv4, and IPv6 that is there already, leave at once', () => {
  const it = world()
  it.there.add('fd77::1')
  it.announce([of('192.0.2.1'), of('fd77::1')], at(0))
  expect(it.sent).toEqual(['192.0.2.1', 'fd77::1'])
  expect(it.deadline()).toBeUndefined()
})

test('IPv6 that has just been installed waits for the kernel’s word, and a millisecond for its route', () => {
  const it = world()
  it.announce([of('192.0.2.1'), of('fd77::1')], at(0))
  expect(it.sent).toEqual(['192.0.2.1'])
  it.there.add('fd77::1')
  it.look(at(2))
  expect(it.sent).toEqual(['192.0.2.1'])
  expect(it.deadline()).toBe(at(3))
  it.look(at(3))
  expect(it.sent).toEqual(['192.0.2.1', 'fd77::1'])
  expect(it.deadline()).toBeUndefined()
})

test('without a word it leaves all the same, while a former active router still answers', () => {
  const it = world()
  it.announce([of('fd77::1')], at(0))
  expect(it.deadline()).toBe(at(15))
  it.look(at(15))
  expect(it.sent).toEqual(['fd77::1'])
})

test('what is taken away meanwhile is not announced', () => {
  const it = world()
  it.announce([of('fd77::1'), of('fd77::2')], at(0))
  const prefix = { address: address('fd77::1'), prefixLength: 64 }
  it.forget([{ kind: 'delete', interface: 'eth0', mac: null, prefix }])
  it.look(at(20))
  expect(it.sent).toEqual(['fd77::2'])
})
