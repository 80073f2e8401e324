import { describe, expect, test } from 'vitest'
import { formatAddress, formatPrefix } from '../../node-agent/wire/address.ts'
import { problems, read } from '../support/agent-config.ts'

const minimal = `
services:
  web: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24]}
`

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

test('checks, what services make of them, peers and what happens without control', () => {
  const config = read(`
control: {url: "http://10.0.0.9:8080", token: t}
peers: {listen: "10.77.0.1:9556", nodes: {n2: "10.77.0.2:9556", n3: "[fd77::3]:9556"}}
checks:
  app: {http: "http://127.0.0.1:8080/healthz", interval: 500ms, timeout: 300ms, rise: 2, fall: 3}
  odd: {http: "https://127.0.0.1/", status: 204}
  db: {tcp: "127.0.0.1:5432"}
  uplink: {interface: eth1}
  script: {exec: ["/usr/bin/test", "-e", "/run/ready"], interval: 5s}
services:
  web:
    interface: eth0
    vrid: 51
    addresses: [10.77.0.50/24]
    checks: [app, {check: uplink, weight: -20}]
    onLost: failsafe
    split: yield
  api: {mode: solo, checks: [app]}
`)
  expect(config.checks).toEqual({
    app: {
      probe: { kind: 'http', url: 'http://127.0.0.1:8080/healthz', status: { from: 200, to: 399 } },
      ...{ intervalMs: 500, timeoutMs: 300, rise: 2, fall: 3 },
    },
    odd: {
      probe: { kind: 'http', url: 'https://127.0.0.1/', status: { from: 204, to: 204 } },
      ...{ intervalMs: 1_000, timeoutMs: 1_000, rise: 2, fall: 3 },
    },
    db: {
      probe: { kind: 'tcp', host: '127.0.0.1', port: 5432 },
      ...{ intervalMs: 1_000, timeoutMs: 1_000, rise: 2, fall: 3 },
    },
    uplink: {
      probe: { kind: 'interface', name: 'eth1' },
      ...{ intervalMs: 250, timeoutMs: 250, rise: 1, fall: 1 },
    },
    script: {
      probe: { kind: 'exec', command: ['/usr/bin/test', '-e', '/run/ready'] },
      ...{ intervalMs: 5_000, timeoutMs: 5_000, rise: 2, fall: 3 },
    },
  })
  expect(config.services).toEqual([
    {
      ...{ name: 'web', solo: false, priority: 100, onLost: 'failsafe', leaveMs: 1_025, split: 'yield', accept: true },
      checks: [
        { check: 'app', weight: null },
        { check: 'uplink', weight: -20 },
      ],
    },
    {
      ...{ name: 'api', solo: true, priority: 100, onLost: 'hold', leaveMs: 0, split: 'keep', accept: true },
      checks: [{ check: 'app', weight: null }],
    },
  ])
  expect(config.peers).toEqual({
    listen: { host: '10.77.0.1', port: 9556 },
    nodes: { n2: { host: '10.77.0.2', port: 9556 }, n3: { host: 'fd77::3', port: 9556 } },
  })
  expect(config.routers.map(({ name }) => name)).toEqual(['web'])
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
    priority: 254
    addresses: [10.77.0.50/24, 10.77.0.51/32, "fd77::50/64"]
    interval: 40.95s
    down: 5
    startDelay: 2s
    version: 3
    checksum: rfc5798
    acceptChecksum: rfc9568
    profile: strict
    preempt: {delay: 30s}
    accept: true
    virtualMac: false
    announce: {repeat: 1, again: 0s, refresh: 0s}
    resign: now
    onLost: hold
    split: keep
    mode: vrrp
    checks: []
`,
    { TOKEN: 'secret-token' },
  )
  expect(config.control).toEqual({ url: 'http://10.0.0.9:8080', token: 'secret-token' })
  expect(config.routers[0]).toMatchObject({
    advertisementInterval: 4_095,
    preemptDelay: 30_000_000,
    priority: 254,
    resign: 'now',
    downMultiplier: 5,
    startDelay: 2_000_000,
    acceptChecksum: 'rfc9568',
    profile: 'strict',
    transport: { kind: 'multicast' },
    password: null,
  })
  expect(config.routers[0]!.addresses.map(formatPrefix)).toEqual(['10.77.0.50/24', '10.77.0.51/32'])
  expect(config.routers[0]!.riders.map(formatPrefix)).toEqual(['fd77::50/64'])
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
    ['version: 4', /^n1.yaml:6: services\.web\.version: must be 3 or 2/],
    ['interval: 255s', /: services\.web\.interval: must be 10ms\.\.40\.95s in version 3/],
    ['interval: 256s', /: services\.web\.interval: must be 10ms\.\.255s/],
    ['down: 0', /: services\.web\.down: must be 1\.\.100/],
    ['down: 101', /: services\.web\.down: must be 1\.\.100/],
    ['startDelay: 5', /: services\.web\.startDelay: needs a unit/],
    ['acceptChecksum: any', /: services\.web\.acceptChecksum: .*auto, rfc9568, rfc5798/],
    ['profile: loose', /: services\.web\.profile: .*interop, strict/],
    ['accept: maybe', /: services\.web\.accept: must be true or false/],
    ['checksum: rfc3768', /^n1.yaml:6: services\.web\.checksum: .*rfc9568.*rfc5798/],
    ['preempt: sometimes', /^n1.yaml:6: services\.web\.preempt: /],
    ['unicast: {}', /^n1.yaml:6: services\.web\.unicast\.peers: is required/],
    ['unicast: {peers: []}', /^n1.yaml:6: services\.web\.unicast\.peers: /],
    [
      'unicast: {peers: [n2]}',
      /^n1.yaml:6: services\.web\.unicast\.peers\[0\]: must be an address of a host; got "n2"/,
    ],
    ['unicast: {peers: [224.0.0.18]}', /services\.web\.unicast\.peers\[0\]: must be an address of a host/],
    ['unicast: {peers: ["fe80::2%eth0"]}', /services\.web\.unicast\.peers\[0\]: .*without a zone/],
    ['unicast: {peers: ["fd77::2"]}', /services\.web\.unicast\.peers\[0\]: fd77::2 is not IPv4.*write IPv4/],
    [
      'unicast: {peers: [10.77.0.50]}',
      /services\.web\.unicast\.peers\[0\]: 10\.77\.0\.50 is an address of the service/,
    ],
    [
      'unicast: {peers: [10.77.0.2, 10.77.0.2]}',
      /services\.web\.unicast\.peers\[1\]: names 10\.77\.0\.2 a second time/,
    ],
    ['unicast: {source: 10.77.0.2, peers: [10.77.0.2]}', /unicast\.peers\[0\]: 10\.77\.0\.2 is this node’s own source/],
    ['unicast: {source: "fd77::1", peers: [10.77.0.2]}', /services\.web\.unicast\.source: fd77::1 is not IPv4/],
    [
      'unicast: {source: 10.77.0.50, peers: [10.77.0.2]}',
      /unicast\.source: 10\.77\.0\.50 is an address of the service/,
    ],
    ['unicast: {peers: [10.77.0.2], ttl: 0}', /services\.web\.unicast\.ttl: must be 1\.\.255/],
    ['unicast: {peers: [10.77.0.2], minTtl: 256}', /services\.web\.unicast\.minTtl: must be 1\.\.255/],
    ['authentication: {type: pass}', /^n1.yaml:6: services\.web\.authentication\.password: is required/],
    ['authentication: {type: ah, password: x}', /services\.web\.authentication\.type: AH is not supported.*type: pass/],
    ['authentication: {type: hmac, password: x}', /services\.web\.authentication\.type: an HMAC trailer is not/],
    ['authentication: {type: md5, password: x}', /services\.web\.authentication\.type: /],
    ['authentication: {type: pass, password: x}', /services\.web\.authentication: is not in version 3 .*version: 2/],
    ['announce: {repeat: 0}', /^n1.yaml:6: services\.web\.announce\.repeat: .*1\.\.60/],
    ['onLost: never', /^n1.yaml:6: services\.web\.onLost: .*hold.*release.*failsafe/],
    ['onLost: release', /^n1.yaml:6: services\.web\.onLost: means nothing without control.*leave it out/],
    ['split: yield', /^n1.yaml:6: services\.web\.split: means nothing without control/],
    ['mode: solo', /^n1.yaml:\d: services\.web\.interface: is not a known key/],
    ['mode: sole', /^n1.yaml:6: services\.web\.mode: .*vrrp.*solo.*did you mean solo/],
    ['checks: [app]', /^n1.yaml:6: services\.web\.checks\[0\]: there is no check app \(add it under checks:\)/],
    ['checks: app', /^n1.yaml:6: services\.web\.checks: must be a list/],
    ['checks: [{check: app, weight: 0}]', /:6: services\.web\.checks\[0\]\.weight: must not be 0 .*fault/],
    ['checks: [{check: app, weight: 300}]', /:6: services\.web\.checks\[0\]\.weight: must be -253\.\.253/],
    ['checks: [{check: app, wieght: 3}]', /:6: services\.web\.checks\[0\]\.wieght: .*did you mean weight/],
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
    ['fd77::50', /prefix length of 1\.\.128/],
    ['fd77::50/129', /prefix length of 1\.\.128/],
    ['fd77::50::1/64', /must be an address/],
    ['fe80::50%eth0/64', /must be an address/],
    ['ff02::12/64', /no address of a host/],
    ['::1/128', /no address of a host/],
    ['::ffff:10.77.0.50/128', /no address of a host/],
  ])('address %s', (text, expected) => {
    const [problem] = problems(minimal.replace('10.77.0.50/24', `"${text}"`))
    expect(problem).toMatch(/^n1.yaml:3: services\.web\.addresses\[0\]: /)
    expect(problem).toMatch(expected)
  })

  test.each([
    ['app: {}', /: checks\.app: probes nothing \(write exactly one of http, tcp, interface, exec\)/],
    ['app: {tcp: "h:1", http: "http://h/"}', /: checks\.app\.tcp: has http and tcp \(write exactly one/],
    ['app: {http: "ftp://h/"}', /: checks\.app\.http: .*http:/],
    ['app: {htpp: "http://h/"}', /: checks\.app\.htpp: .*did you mean http/],
    ['app: {tcp: "5432"}', /: checks\.app\.tcp: must be host:port; got "5432"/],
    ['app: {tcp: "h:70000"}', /: checks\.app\.tcp: must be host:port/],
    ['app: {interface: eth9}', /: checks\.app\.interface: there is no interface eth9/],
    ['app: {interface: eth1, timeout: 10ms}', /: checks\.app\.timeout: is not for an interface/],
    ['app: {exec: [test]}', /: checks\.app\.exec: test is no absolute path/],
    ['app: {exec: []}', /: checks\.app\.exec: /],
    ['app: {tcp: "h:1", status: 200}', /: checks\.app\.status: is for http only/],
    ['app: {http: "http://h/", status: 399-200}', /: checks\.app\.status: must be 100\.\.599/],
    ['app: {tcp: "h:1", interval: 500ms, timeout: 1s}', /: checks\.app\.timeout: .*not be longer.*500ms/],
    ['app: {tcp: "h:1", rise: 0}', /: checks\.app\.rise: must be 1\.\.100/],
  ])('check %s', (text, expected) => {
    expect(problems(`checks:\n  ${text}\n${minimal}`).join('\n')).toMatch(expected)
  })

  test('a check that is not there, with the nearest; one that is named twice', () => {
    const text = (names: string) =>
      `checks: {app: {tcp: "h:1"}, database: {tcp: "h:2"}}\n${minimal.replace('vrid: 51', `vrid: 51, checks: [${names}]`)}`
    expect(problems(text('app, ap'))[0]).toMatch(
      /:4: services\.web\.checks\[1\]: there is no check ap \(did you mean app\?\)/,
    )
    expect(problems(text('app, other'))[0]).toMatch(/there is no check other \(there are app, database\)/)
    expect(problems(text('app, app'))[0]).toMatch(/services\.web\.checks\[1\]: names app a second time/)
  })

  test('failsafe without peers, with itself for a peer, without any', () => {
    const text = (peers: string) =>
      `control: {url: "http://c", token: t}\n${peers}\n${minimal.replace('vrid: 51', 'vrid: 51, onLost: failsafe')}`
    expect(problems(text(''))[0]).toMatch(
      /:5: services\.web\.onLost: failsafe asks peers, and none.*add peers: \{listen/,
    )
    const itself = 'peers: {listen: "10.77.0.1:9556", nodes: {n1: "10.77.0.1:9556"}}'
    expect(problems(text(itself))[0]).toMatch(/:2: peers\.nodes\.n1: is this node itself/)
    expect(problems(text('peers: {listen: "10.77.0.1:9556", nodes: {}}')).join()).toMatch(
      /peers\.nodes: .*at least one/,
    )
    expect(problems(text('peers: {listen: "10.77.0.1", nodes: {n2: "10.77.0.2:9556"}}'))[0]).toMatch(
      /:2: peers\.listen: must be host:port/,
    )
  })

  test('an address owner has no checks, and does not stand back', () => {
    const owner = `control: {url: "http://c", token: t}\nchecks: {app: {tcp: "h:1"}}\n${minimal}`
    const keys = ['checks: [app]', 'onLost: release', 'split: yield', 'accept: false', 'preempt: false']
    for (const key of keys) {
      const [problem] = problems(owner.replace('vrid: 51', `vrid: 51, priority: 255, ${key}`))
      expect(problem).toMatch(/:5: services\.web\.\w+: is not for an address owner \(its addresses stay/)
    }
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
    for (const other of [
      'interface: eth1, vrid: 51, addresses: [10.77.1.50/24]',
      // A VRID of each family is a virtual router of its own, and a link-local address is one of its link only.
      'interface: eth0, vrid: 51, addresses: ["fe80::51/64"]}\n  more: {interface: eth1, vrid: 51, addresses: ["fe80::51/64"]',
    ])
      expect(() => read(`${minimal}  api: {${other}}\n`)).not.toThrow()
    const twice = `services:
  web: {interface: eth0, vrid: 51, addresses: ["fe80::51/64"]}
  api: {interface: eth0, vrid: 51, addresses: ["fe80::51/64"]}
`
    expect(problems(twice).join('\n')).toMatch(
      /:3: services\.api\.vrid: .*\n.*:3: services\.api\.addresses\[0\]: fe80::51/,
    )
  })

  test('a variable that is not set, by its name; a secret never', () => {
    const text = `control: {url: "http://c", token: "\${TOKEN}"}\n${minimal}`
    expect(problems(text)[0]).toMatch(/^n1.yaml:1: control\.token: .*TOKEN/)
    const leaked = problems(`control: {url: "\${TOKEN}", token: x}\n${minimal}`, { TOKEN: 'hunter2hunter2' })
    expect(leaked.join('\n')).not.toContain('hunter2')
  })
})
