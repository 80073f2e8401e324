/** Settings of interfaces come back as they were, whoever died, renamed, removed or changed something meanwhile. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openSysctls, promoteSecondaries, type Setting, type Sysctls } from '../../../node-agent/linux/sysctls.ts'

type Machine = {
  readonly file: string
  readonly indices: Map<string, number>
  set(path: string, value: string): void
  get(path: string): string
  /** An agent's process; the one before was killed, or has restored. */
  open(options?: { namespace?: string; boot?: string; file?: string }): Sysctls
}

const eth0 = 'ipv4/conf/eth0/arp_ignore'
const answersOnlyItsOwn: Setting = { family: 'ipv4', interface: 'eth0', key: 'arp_ignore', value: 1 }

/** A folder with files as those under /proc/sys/net: eth0 and eth1, all of whose values are 0. */
function machine(): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sysctls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const root = join(folder, 'net')
  const indices = new Map([
    ['eth0', 2],
    ['eth1', 3],
  ])
  const file = join(folder, 'agent.sock.sysctls')
  const made: Machine = {
    file,
    indices,
    set(path, value) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), `${value}\n`)
    },
    get: (path) => readFileSync(join(root, path), 'utf8').trim(),
    open: ({ namespace = '4026531840', boot = 'b1', file: other = file } = {}) =>
      openSysctls({ file: other, root, indexOf: (name) => indices.get(name), here: { boot, namespace } }),
  }
  for (const name of ['eth0', 'eth1', 'all', 'default']) {
    for (const key of ['arp_ignore', 'arp_announce', 'promote_secondaries']) made.set(`ipv4/conf/${name}/${key}`, '0')
  }
  return made
}

test('what is wanted is set, and is as it was in the end; the record is gone then', () => {
  const { open, get, file } = machine()
  const sysctls = open()
  expect(sysctls.want('virtual MAC', [answersOnlyItsOwn])).toEqual([])
  expect(get(eth0)).toBe('1')
  expect(sysctls.restore()).toEqual([])
  expect([get(eth0), existsSync(file)]).toEqual(['0', false])
})

test('what was so already is nothing of ours', () => {
  const { open, get, set, file } = machine()
  set(eth0, '1')
  const sysctls = open()
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  expect(existsSync(file)).toBe(false)
  sysctls.restore()
  expect(get(eth0)).toBe('1')
})

test('after a kill the next process keeps the values from before the first', () => {
  const { open, get } = machine()
  open().want('virtual MAC', [answersOnlyItsOwn])
  open().want('virtual MAC', [answersOnlyItsOwn])
  const third = open()
  third.want('virtual MAC', [answersOnlyItsOwn])
  expect(get(eth0)).toBe('1')
  third.restore()
  expect(get(eth0)).toBe('0')
})

test('after a kill the next process puts back what it does not want itself', () => {
  const { open, get } = machine()
  open().want('virtual MAC', [answersOnlyItsOwn])
  open().want('virtual MAC', [])
  expect(get(eth0)).toBe('0')
})

test('a kill between the record and the change is no change', () => {
  const { open, get, set } = machine()
  open().want('virtual MAC', [answersOnlyItsOwn])
  set(eth0, '0')
  const next = open()
  next.restore()
  expect(get(eth0)).toBe('0')
})

test('each caller wants for itself, and what nobody wants any more is put back', () => {
  const { open, get } = machine()
  const sysctls = open()
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  sysctls.want('addresses', promoteSecondaries(['eth0', 'eth1']))
  sysctls.want('addresses', promoteSecondaries(['eth1']))
  const promote = (name: string): string => get(`ipv4/conf/${name}/promote_secondaries`)
  expect([get(eth0), promote('eth0'), promote('eth1')]).toEqual(['1', '0', '1'])
})

test('a value that somebody changed meanwhile stays as they made it', () => {
  const { open, get, set } = machine()
  const sysctls = open()
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  set(eth0, '2')
  sysctls.restore()
  expect(get(eth0)).toBe('2')
})

test('when it is wanted again after that, it is set again, and theirs is what comes back', () => {
  const { open, get, set } = machine()
  const sysctls = open()
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  set(eth0, '2')
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  expect(get(eth0)).toBe('1')
  sysctls.restore()
  expect(get(eth0)).toBe('2')
})

test('an interface that has vanished needs nothing, and one that never was is skipped', () => {
  const { open, indices, file } = machine()
  const sysctls = open()
  expect(sysctls.want('virtual MAC', [answersOnlyItsOwn, { ...answersOnlyItsOwn, interface: 'eth7' }])).toEqual([])
  indices.delete('eth0')
  expect(sysctls.restore()).toEqual([])
  expect(existsSync(file)).toBe(false)
})

test('an interface of the same name that was made anew keeps its own value', () => {
  const { open, get, indices } = machine()
  const sysctls = open()
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  indices.set('eth0', 9)
  // Made with 1 by whoever made it: still as we had set the other one.
  sysctls.restore()
  expect(get(eth0)).toBe('1')
})

test('an interface that was renamed is found under its new name', () => {
  const { open, get, indices, file } = machine()
  const sysctls = open()
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  indices.delete('eth0')
  indices.set('lan0', 2)
  renameSync(join(dirname(file), 'net/ipv4/conf/eth0'), join(dirname(file), 'net/ipv4/conf/lan0'))
  sysctls.restore()
  expect(get('ipv4/conf/lan0/arp_ignore')).toBe('0')
})

test.each([{ namespace: '4026532000' }, { boot: 'b2' }])('a record of another place says nothing here: %o', (other) => {
  const { open, get } = machine()
  open().want('virtual MAC', [answersOnlyItsOwn])
  open(other).restore()
  expect(get(eth0)).toBe('1')
})

test('a value that was set twice comes back as it was before the first time', () => {
  const { open, get } = machine()
  const sysctls = open()
  sysctls.want('filter', [{ family: 'ipv4', interface: 'all', key: 'arp_ignore', value: 1 }])
  sysctls.want('filter', [{ family: 'ipv4', interface: 'all', key: 'arp_ignore', value: 2 }])
  sysctls.restore()
  expect(get('ipv4/conf/all/arp_ignore')).toBe('0')
})

test('nothing is changed that could not be put back, and the problem is said', () => {
  const { open, get, file } = machine()
  const nowhere = join(dirname(file), 'missing', 'agent.sock.sysctls')
  const said = open({ file: nowhere }).want('virtual MAC', [answersOnlyItsOwn])
  expect(said).toEqual([
    `could not record in ${nowhere} what is to be put back (ENOENT): no setting of an interface is changed that could not be put back`,
  ])
  expect(get(eth0)).toBe('0')
})

test('a record cut short by a full disk is none', () => {
  const { open, get, file } = machine()
  writeFileSync(file, '{"boot":"b1","namesp')
  const sysctls = open()
  sysctls.want('virtual MAC', [answersOnlyItsOwn])
  sysctls.restore()
  expect(get(eth0)).toBe('0')
})
