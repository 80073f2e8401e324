import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../control/config-file.ts'
import { type AgentConfig, readAgentConfig } from '../../node-agent/config.ts'
import { formatAddress } from '../../node-agent/wire/address.ts'

const minimal = `
services:
  web: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24]}
`

function read(text: string, environment: Record<string, string> = {}): AgentConfig {
  return readAgentConfig({
    file: 'n1.yaml',
    text,
    environment,
    hostName: 'n1.example.org',
    interfaces: ['lo', 'eth0', 'eth1'],
  })
}

function problems(text: string, environment: Record<string, string> = {}): string[] {
  try {
    read(text, environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  throw new Error('the configuration was accepted')
}

/** The minimal service with one line more, which then is line 6. */
const withLine = (line: string): string => `
services:
  web:
    interface: eth0
    addresses: [10.77.0.50/24]
    ${line}
    ${line.startsWith('vrid') ? '' : 'vrid: 51'}
`

test('the shortest configuration has the defaults of the design', () => {
  const config = read(minimal)
  expect(config).toMatchObject({
    node: 'n1',
    site: 'default',
    control: undefined,
    socket: '/run/holdfast/agent.sock',
    realtime: true,
  })
  expect(config.routers).toMatchObject([
    {
      name: 'web',
      priority: 100,
      preemptMode: true,
      advertisementInterval: 100,
      checksum: 'rfc9568',
      resign: 'handover',
      announce: { repeat: 5, again: 5_000_000, refresh: 60_000_000 },
    },
  ])
  expect(formatAddress(config.routers[0]!.addresses[0]!.address)).toBe('10.77.0.50')
})

test('every key of this version is read', () => {
  const config = read(
    `
node: a
site: dc1
control: {url: "http://10.0.0.9:8080", token: "\${TOKEN}"}
socket: /tmp/a.sock
realtime: false
services:
  web:
    interface: eth1
    vrid: 7
    priority: 255
    addresses: [10.77.0.50/24, 10.77.0.51/32]
    interval: 40.95s
    version: 3
    checksum: rfc5798
    preempt: {delay: 30s}
    accept: true
    virtualMac: false
    announce: {repeat: 1, again: 0s, refresh: 0s}
    resign: now
    onLost: hold
`,
    { TOKEN: 'secret-token' },
  )
  expect(config.control).toEqual({ url: 'http://10.0.0.9:8080', token: 'secret-token' })
  expect(config.routers[0]).toMatchObject({
    advertisementInterval: 4_095,
    preemptDelay: 30_000_000,
    priority: 255,
    resign: 'now',
  })
})

describe('a mistake is named with file, line, key and remedy', () => {
  test.each([
    ['vrid: 0', /^n1.yaml:6: services\.web\.vrid: .*1\.\.255/],
    ['vrid: 256', /^n1.yaml:6: services\.web\.vrid: .*1\.\.255.*256/],
    ['priority: 0', /^n1.yaml:6: services\.web\.priority: .*1\.\.255/],
    ['priority: 300', /^n1.yaml:6: services\.web\.priority: .*1\.\.255/],
    ['priorty: 100', /^n1.yaml:6: services\.web\.priorty: .*did you mean priority/],
    ['interval: 5ms', /^n1.yaml:6: services\.web\.interval: .*10ms/],
    ['interval: 41s', /^n1.yaml:6: services\.web\.interval: .*40\.95s/],
    ['interval: 15ms', /^n1.yaml:6: services\.web\.interval: .*hundredths/],
    ['interval: 1000', /^n1.yaml:6: services\.web\.interval: .*1000ms/],
    ['version: 2', /^n1.yaml:6: services\.web\.version: .*not in this version/],
    ['version: 4', /^n1.yaml:6: services\.web\.version: /],
    ['checksum: rfc3768', /^n1.yaml:6: services\.web\.checksum: .*rfc9568.*rfc5798/],
    ['virtualMac: true', /^n1.yaml:6: services\.web\.virtualMac: .*not in this version/],
    ['accept: false', /^n1.yaml:6: services\.web\.accept: .*not in this version/],
    ['preempt: sometimes', /^n1.yaml:6: services\.web\.preempt: /],
    ['unicast: {peers: [10.0.0.1]}', /^n1.yaml:6: services\.web\.unicast: .*not in this version/],
    ['authentication: {type: pass}', /^n1.yaml:6: services\.web\.authentication: .*not in this version/],
    ['announce: {repeat: 0}', /^n1.yaml:6: services\.web\.announce\.repeat: .*1\.\.60/],
    ['resign: never', /^n1.yaml:6: services\.web\.resign: .*handover.*now/],
  ])('%s', (line, expected) => expect(problems(withLine(line)).join('\n')).toMatch(expected))

  test.each([
    ['10.77.0.50', /prefix length/],
    ['10.77.0.50/33', /prefix length/],
    ['10.77.0.50/0', /prefix length/],
    ['10.77.0.500/24', /must be an address/],
    ['10.77.0.50/24/1', /must be an address/],
    ['web.example.org/24', /must be an address/],
    ['224.0.0.18/24', /no address of a host/],
    ['fd77::50/64', /IPv6 is not in this version/],
  ])('address %s', (text, expected) => {
    const [problem] = problems(minimal.replace('10.77.0.50/24', `"${text}"`))
    expect(problem).toMatch(/^n1.yaml:3: services\.web\.addresses\[0\]: /)
    expect(problem).toMatch(expected)
  })

  test('an interface that is not here, with the nearest', () => {
    expect(problems(minimal.replace('eth0', 'eht0'))[0]).toMatch(
      /:3: services\.web\.interface: there is no interface eht0 .*eth0/,
    )
  })

  test('all of them at once, in order of lines', () => {
    const found = problems(
      'nod: x\nservices:\n  web:\n    vrid: 999\n    priority: 0\n    addresses: []\n    interface: eth9\n',
    )
    expect(found.map((problem) => problem.split(':')[1])).toEqual(['1', '4', '5', '6', '7'])
  })

  test('no service, no file', () => {
    expect(problems('services: {}\n')[0]).toMatch(/at least one service/)
    expect(problems('node: n1\n')[0]).toMatch(/services: is required/)
    expect(problems('')[0]).toMatch(/services/)
  })

  test('a VRID twice on an interface, an address twice', () => {
    const found = problems(`
services:
  web: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24]}
  api: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24]}
`)
    expect(found.join('\n')).toMatch(/:4: services\.api\.vrid: is the vrid of web already/)
    expect(found.join('\n')).toMatch(/:4: services\.api\.addresses\[0\]: 10\.77\.0\.50 is an address of web already/)
    expect(() => read(`${minimal}  api: {interface: eth1, vrid: 51, addresses: [10.77.1.50/24]}\n`)).not.toThrow()
  })

  test('a variable that is not set, by its name; a secret never', () => {
    const text = `control: {url: "http://c", token: "\${TOKEN}"}\n${minimal}`
    expect(problems(text)[0]).toMatch(/^n1.yaml:1: control\.token: .*TOKEN/)
    const leaked = problems(`control: {url: "\${TOKEN}", token: x}\n${minimal}`, { TOKEN: 'hunter2hunter2' })
    expect(leaked.join('\n')).not.toContain('hunter2')
  })
})
