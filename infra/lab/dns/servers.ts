/**
 * Real DNS servers on the loopback, each with one zone and one key that may update one name and its epoch record: BIND,
 * Knot and PowerDNS as Debian has them. Ordinary processes in a folder of their own; nothing of the machine's is touched.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { epochRecordName } from '../../../adapters/dns/epoch-record.ts'

export type Kind = 'bind' | 'knot' | 'powerdns'

export const zone = 'example.com'
export const vip = 'vip.example.com'
/** One that answers for all below it. */
export const poolName = '*.pool.example.com'
/** Names that are not there, for which a wildcard answers: with records, and as an alias. */
export const wildNames = ['vip.wild.example.com', 'vip.alias.example.com'] as const
/** What the lab's key may update, each beside its epoch record. */
const movable = [vip, poolName, ...wildNames]
export const labKey = { name: 'holdfast', secret: Buffer.from('a secret of the lab, 32 bytes ok').toString('base64') }
/** May update nothing of it. */
export const poorKey = { name: 'poor', secret: Buffer.from('another one of the lab, 32 bytes').toString('base64') }
export const apiKey = 'lab-api-key'

export type DnsServer = {
  readonly kind: Kind
  readonly port: number
  /** PowerDNS only: its HTTP API. */
  readonly api: string
  /** Ends the process and starts it again on the same zone; `meanwhile` happens while nobody is there. */
  restart(meanwhile?: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

export async function startDns(kind: Kind): Promise<DnsServer> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${kind}-`))
  const [port, webPort] = [await freePort(), await freePort()]
  const command = prepare[kind]({ folder, port, webPort })
  let child = await run(command, port).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  return {
    kind,
    port,
    api: `http://127.0.0.1:${webPort}`,
    restart: async (meanwhile = async () => undefined) => {
      await end(child)
      await meanwhile()
      child = await run(command, port)
    },
    stop: async () => {
      await end(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

type Place = { readonly folder: string; readonly port: number; readonly webPort: number }
type Started = { readonly program: string; readonly args: readonly string[] }

const zoneText = `$TTL 60
@ IN SOA ns1 hostmaster 1 3600 600 86400 60
@ IN NS ns1
ns1 IN A 127.0.0.1
*.wild IN A 192.0.2.99
*.wild IN TXT "v=spf1 -all"
*.alias IN CNAME ns1
`

const grantsFor = (name: string): string =>
  `  grant ${labKey.name} name ${name}. A AAAA; grant ${labKey.name} name ${epochRecordName(name)}. TXT;`

const prepare: Readonly<Record<Kind, (place: Place) => Started>> = {
  bind: ({ folder, port }) => {
    writeFileSync(join(folder, 'zone.db'), zoneText)
    const key = ({ name, secret }: typeof labKey) => `key ${name} { algorithm hmac-sha256; secret "${secret}"; };`
    const config = `
options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none;
  session-keyfile none; recursion no; dnssec-validation no; notify no; managed-keys-directory "${folder}"; };
controls { };
${key(labKey)}
${key(poorKey)}
zone "${zone}" { type primary; file "${folder}/zone.db"; update-policy {
${movable.map(grantsFor).join('\n')}
  grant ${poorKey.name} name elsewhere.${zone}. A; }; };
`
    writeFileSync(join(folder, 'named.conf'), config)
    return { program: '/usr/sbin/named', args: ['-c', join(folder, 'named.conf'), '-f', '-n', '1', '-u', whoami()] }
  },
  knot: ({ folder, port }) => {
    mkdirSync(join(folder, 'zones'))
    mkdirSync(join(folder, 'db'))
    writeFileSync(join(folder, 'zones', `${zone}.zone`), zoneText)
    const key = ({ name, secret }: typeof labKey) =>
      `  - id: ${name}\n    algorithm: hmac-sha256\n    secret: ${secret}\n`
    const owners = movable.map((name) => `${name}., ${epochRecordName(name)}.`).join(', ')
    const acl = (name: string, among: string) => `  - id: ${name}_acl
    key: ${name}
    action: [update, query]
    update-owner: name
    update-owner-match: equal
    update-owner-name: [${among}]
    update-type: [A, AAAA, TXT]
`
    const config = `server:
    rundir: ${folder}
    listen: 127.0.0.1@${port}
    user: ${whoami()}:${groupName()}
database:
    storage: ${folder}/db
key:
${key(labKey)}${key(poorKey)}acl:
${acl(labKey.name, owners)}${acl(poorKey.name, `elsewhere.${zone}.`)}template:
  - id: default
    storage: ${folder}/zones
zone:
  - domain: ${zone}
    acl: [${labKey.name}_acl, ${poorKey.name}_acl]
`
    writeFileSync(join(folder, 'knot.conf'), config)
    return { program: '/usr/sbin/knotd', args: ['-c', join(folder, 'knot.conf')] }
  },
  powerdns: ({ folder, port, webPort }) => {
    const database = join(folder, 'pdns.db')
    const schema = execFileSync('cat', ['/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql'], {
      encoding: 'utf8',
    })
    const sql = new DatabaseSync(database)
    sql.exec(schema)
    sql.exec(`INSERT INTO domains (name, type) VALUES ('${zone}', 'NATIVE')`)
    const add = sql.prepare(
      'INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES (1, ?, ?, ?, 60, 1)',
    )
    add.run(zone, 'SOA', `ns1.${zone} hostmaster.${zone} 1 3600 600 86400 60`)
    add.run(zone, 'NS', `ns1.${zone}`)
    add.run(`ns1.${zone}`, 'A', '127.0.0.1')
    add.run(`*.wild.${zone}`, 'A', '192.0.2.99')
    add.run(`*.wild.${zone}`, 'TXT', '"v=spf1 -all"')
    add.run(`*.alias.${zone}`, 'CNAME', `ns1.${zone}`)
    const key = sql.prepare("INSERT INTO tsigkeys (name, algorithm, secret) VALUES (?, 'hmac-sha256', ?)")
    for (const { name, secret } of [labKey, poorKey]) key.run(name, secret)
    const meta = sql.prepare('INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, ?, ?)')
    meta.run('TSIG-ALLOW-DNSUPDATE', labKey.name)
    meta.run('ALLOW-DNSUPDATE-FROM', '127.0.0.0/8')
    sql.close()
    const settings = {
      'config-dir': folder,
      'socket-dir': folder,
      launch: 'gsqlite3',
      'gsqlite3-database': database,
      'local-address': '127.0.0.1',
      'local-port': port,
      dnsupdate: 'yes',
      'allow-dnsupdate-from': '127.0.0.0/8',
      api: 'yes',
      'api-key': apiKey,
      webserver: 'yes',
      'webserver-address': '127.0.0.1',
      'webserver-port': webPort,
      'cache-ttl': 0,
      'query-cache-ttl': 0,
      'negquery-cache-ttl': 0,
      'zone-cache-refresh-interval': 0,
      'security-poll-suffix': '',
      daemon: 'no',
      guardian: 'no',
    }
    return {
      program: '/usr/sbin/pdns_server',
      args: Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
    }
  },
}

const idOf = (what: '-un' | '-gn'): string => execFileSync('id', [what], { encoding: 'utf8' }).trim()
/** Whoever runs the tests, root or not: the servers stay that user. */
const whoami = () => idOf('-un')
const groupName = () => idOf('-gn')

async function run({ program, args }: Started, port: number): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-2_000)
    })
  }
  const began = performance.now()
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}: ${said}`)
    if (performance.now() - began > 20_000) {
      await end(child)
      throw new Error(`${program} does not listen: ${said}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return child
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await ended
  clearTimeout(timer)
}

/** One that nobody listens on a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}
