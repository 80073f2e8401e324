/** `holdfast import` as people run it: what it prints where, what it writes, and its exit codes. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createFolder } from '../../support/control-process.ts'

const main = join(import.meta.dirname, '../../../control/cli/main.ts')
const folder = createFolder()
afterAll(() => folder.remove())

/** The password that the imported file has by name only, should this version take one. */
const env = { PATH: process.env.PATH, HOLDFAST_WEB_PASSWORD: 'secret12' }

function holdfast(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    cwd: folder.path,
    env,
  })
  return { code: status, stdout, stderr }
}

mkdirSync(folder.file('conf.d'))
writeFileSync(
  folder.file('keepalived.conf'),
  `global_defs {
    router_id LVS_DEVEL
}
include conf.d/*.conf
`,
)
writeFileSync(
  folder.file('conf.d/web.conf'),
  `vrrp_instance web {
    interface eth0
    virtual_router_id 51
    @n1 priority 200
    @n2 priority 100
    virtual_ipaddress { 192.0.2.10/24 }
    authentication {
        auth_type PASS
        auth_pass hunter2
    }
    notify_master ${folder.file('notify.sh')}
}
`,
)
writeFileSync(folder.file('notify.sh'), '#!/bin/sh\naws ec2 associate-address --allocation-id eipalloc-1\n')

test('writes a configuration that check-config accepts, says the rest on standard error, and is done', () => {
  const { code, stdout, stderr } = holdfast('import', 'keepalived.conf', '--config-id', 'n1')
  expect({ code, stdout, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toContain('priority: 200  # conf.d/web.conf:4\n')
  expect(stderr).toContain('keepalived.conf:2: router_id: not carried over: a node is called by its host name')
  expect(stderr).toMatch(/^conf\.d\/web\.conf:11: notify_master: not carried over: it moves an Elastic IP.*aws-eip/m)
  expect(stderr).toMatch(/\d+ carried over, \d+ with a change, \d+ not\n$/)
  expect(stdout + stderr).not.toContain('hunter2')
  writeFileSync(folder.file('n1.yaml'), stdout)
  expect(holdfast('check-config', '--elsewhere', 'n1.yaml')).toMatchObject({ code: 0 })
})

test('--output writes a file, and replaces one only with --force', () => {
  const run = (...more: string[]) => holdfast('import', 'keepalived.conf', '--output', 'agent.yaml', ...more)
  expect(run('--config-id', 'n1')).toMatchObject({ code: 0, stdout: '' })
  const first = readFileSync(folder.file('agent.yaml'), 'utf8')
  expect(first).toContain('priority: 200')
  const refused = run('--config-id', 'n2')
  expect(refused).toMatchObject({ code: 2, stdout: '' })
  expect(refused.stderr).toContain(
    'holdfast: agent.yaml exists already; give another --output, or --force to replace it',
  )
  expect(readFileSync(folder.file('agent.yaml'), 'utf8')).toBe(first)
  expect(run('--config-id', 'n2', '--force').code).toBe(0)
  expect(readFileSync(folder.file('agent.yaml'), 'utf8')).toContain('priority: 100')
})

test('--json prints the configuration and every finding as data', () => {
  const { code, stdout, stderr } = holdfast('import', 'keepalived.conf', '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { configuration, findings } = JSON.parse(stdout)
  expect(configuration).toContain('services:')
  expect(findings).toContainEqual({
    file: 'conf.d/web.conf',
    line: 3,
    kind: 'carried',
    what: 'virtual_router_id',
    text: 'as vrid',
  })
})

test.each([
  {
    name: 'a broken file',
    text: 'vrrp_instance a {\n',
    code: 2,
    says: 'x.conf:1: vrrp_instance a: its } is missing\n',
  },
  {
    name: 'an include of nothing',
    text: 'include no.conf\n',
    code: 2,
    says: 'x.conf:1: include no.conf: there is no such file\n',
  },
  {
    name: 'an include of itself',
    text: 'include x.conf\n',
    code: 2,
    says: 'x.conf:1: include x.conf: the files include each other: x.conf → x.conf\n',
  },
  {
    name: 'a file without VRRP',
    text: 'global_defs {\n}\n',
    code: 1,
    says: 'holdfast: x.conf: no vrrp_instance in it could be carried over, so there is nothing to write\n',
  },
])('$name ends with $code', ({ text, code, says }) => {
  writeFileSync(folder.file('x.conf'), text)
  const ran = holdfast('import', 'x.conf')
  expect(ran).toMatchObject({ code, stdout: '' })
  expect(ran.stderr).toContain(says)
})

test('a file that is not there, and a folder that is not there, are wrong usage', () => {
  expect(holdfast('import', 'nowhere.conf')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'holdfast: nowhere.conf: there is no such file\n',
  })
  const { code, stderr } = holdfast('import', 'keepalived.conf', '--output', 'no/such/agent.yaml')
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no/such/agent.yaml: there is no such folder'),
  })
})
