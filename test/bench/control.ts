/**
 * What control takes and how fast it decides, beside a bare Hono route that makes the same row durable.
 *
 *   npm run bench:control -- [--quick] [--only links,posts,many,growth] [--json] [--write] [--profile DIR]
 *
 * Agents, load and control are processes of their own on loopback, with real WebSockets and a real database file.
 * `--write` puts the tables into RESULTS.md; `--profile` leaves a profile of each control for V8's tools.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Host, sizeOf, startBaseline, startControl, startLoad, viewerToken, writeConfig } from './control-host.ts'
import type { Pair } from './control-load.ts'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'links,posts,many,growth' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const floodMs = options.quick ? 800 : 5_000
const rounds = options.quick ? 12 : 200
/** Before memory or an idle processor is looked at. */
const settleMs = options.quick ? 500 : 2_000

/** Pairs of nodes with so many services each. */
function pairsOf(count: number, services = 1): Pair[] {
  return Array.from({ length: count }, (_, i) => ({
    nodes: [`a${i}`, `b${i}`] as const,
    services: Array.from({ length: services }, (_, n) => `s${i}-${n}`),
  }))
}

let controls = 0
async function controlFor(pairs: readonly Pair[]): Promise<Host & { database: string; restart(): Promise<Host> }> {
  const name = `control-${++controls}`
  const [config, database] = [join(folder, `${name}.json`), join(folder, `${name}.db`)]
  writeConfig(config, { database, pairs })
  const start = () => startControl(config, options.profile)
  return { ...(await start()), database, restart: start }
}

function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

const spread = (numbers: readonly number[]) => ({ p50: percentile(numbers, 0.5), p99: percentile(numbers, 0.99) })

/** Agents that hold links: what they may report, how fast control decides, what each of them costs in memory. */
async function measureLinks(agents: number) {
  const pairs = pairsOf(Math.max(1, agents / 2))
  const control = await controlFor(pairs)
  const load = startLoad()
  await sleep(settleMs)
  const empty = control.rssMb()
  await load.run({ kind: 'connect', url: control.url, pairs, alone: agents === 1 })
  await sleep(settleMs)
  const perAgentKb = (1_024 * (control.rssMb() - empty)) / agents
  const idleFrom = control.cpuMs()
  await sleep(settleMs)
  const idlePercent = (100 * (control.cpuMs() - idleFrom)) / settleMs
  const decided = await load.run({ kind: 'failovers', rounds, perSecond: 0 })
  const { perSecond, acknowledgedMs } = await load.run({ kind: 'flood', ms: floodMs })
  const busyRate = Math.round(perSecond / 3)
  const busy = agents < 10 ? [] : await load.run({ kind: 'failovers', rounds, perSecond: busyRate })
  await load.run({ kind: 'end' })
  await control.stop()
  return {
    agents,
    perSecond,
    acknowledged: spread(acknowledgedMs),
    decided: spread(decided),
    busy: spread(busy),
    busyRate,
    perAgentKb,
    idlePercent,
  }
}

/** The same reports posted to control and to the bare route, in turn, so that whatever else runs here hits both. */
async function measurePosts(connections: number) {
  const pairs = pairsOf(Math.max(1, connections / 2))
  const nodes = pairs.flatMap(({ nodes }) => nodes).slice(0, connections)
  const control = await controlFor(pairs)
  const bare = await startBaseline(join(folder, `bare-${connections}.db`))
  const load = startLoad()
  const ms = floodMs / 4
  const taken = { control: [] as number[], bare: [] as number[] }
  const took = { control: [] as number[], bare: [] as number[] }
  const spent = { control: [] as number[], bare: [] as number[] }
  for (let round = 0; round <= 4; round += 1) {
    for (const [side, host] of [
      ['control', control],
      ['bare', bare],
    ] as const) {
      const { url } = host
      const usedBefore = host.cpuMs()
      const { perSecond, tookMs } = await load.run({ kind: 'posts', url, ms, nodes })
      // The first round warms both up.
      if (round === 0) continue
      taken[side].push(perSecond)
      took[side].push(...tookMs)
      spent[side].push((1_000 * (host.cpuMs() - usedBefore)) / tookMs.length)
    }
  }
  await load.run({ kind: 'end' })
  await Promise.all([control.stop(), bare.stop()])
  const sides = { control: percentile(taken.control, 0.5), bare: percentile(taken.bare, 0.5) }
  const cpuUs = { control: percentile(spent.control, 0.5), bare: percentile(spent.bare, 0.5) }
  return { connections, ...sides, controlMs: spread(took.control), bareMs: spread(took.bare), cpuUs }
}

/** Ten thousand services in one database, all of them owned and quiet but the one that is looked at. */
async function measureMany(services: number) {
  const each = 500
  const [first, ...others] = pairsOf(services / each + 1, each)
  const pairs = [{ nodes: first!.nodes, services: ['one'] }, ...others]
  const control = await controlFor(pairs)
  const freshStartMs = control.startMs
  const load = startLoad()
  const emptyMb = control.rssMb()
  const connecting = performance.now()
  await load.run({ kind: 'connect', url: control.url, pairs, alone: false })
  const connectMs = performance.now() - connecting
  await sleep(settleMs)
  const mb = control.rssMb()
  const idleFrom = control.cpuMs()
  await sleep(settleMs)
  const idlePercent = (100 * (control.cpuMs() - idleFrom)) / settleMs
  const get = (path: string, times: number) =>
    load.run({ kind: 'gets', url: control.url, path, token: viewerToken, times })
  const one = spread(await get('/v1/services/one', options.quick ? 100 : 1_000))
  const all = spread(await get('/v1/services', options.quick ? 3 : 10))
  const decided: number[] = []
  for (let i = 0; i < rounds; i += 1) decided.push(...(await load.run({ kind: 'failover', pair: 0 })))
  const node = await load.run({ kind: 'failover', pair: 1 })
  await load.run({ kind: 'end' })
  await control.stop()
  const sizeMb = sizeOf(control.database) / 2 ** 20
  const again = await control.restart()
  const startMs = again.startMs
  await again.stop()
  return {
    services,
    freshStartMs,
    startMs,
    emptyMb,
    mb,
    connectMs,
    idlePercent,
    one,
    all,
    decided: spread(decided),
    node: { services: each, firstMs: Math.min(...node), lastMs: Math.max(...node) },
    sizeMb,
  }
}

/** What the database grows by: for each failover with its audit trail, and while nothing happens. */
async function measureGrowth() {
  const pairs = pairsOf(1)
  const control = await controlFor(pairs)
  const load = startLoad()
  await load.run({ kind: 'connect', url: control.url, pairs, alone: false })
  await load.run({ kind: 'end' })
  await control.stop()
  const before = sizeOf(control.database)
  const again = await control.restart()
  const more = startLoad()
  await more.run({ kind: 'connect', url: again.url, pairs, alone: false })
  const failovers = options.quick ? 20 : 400
  await more.run({ kind: 'failovers', rounds: failovers, perSecond: 0 })
  await sleep(200)
  const idleFrom = sizeOf(control.database)
  await sleep(settleMs)
  const idleBytes = sizeOf(control.database) - idleFrom
  const headers = { authorization: `Bearer ${viewerToken}` }
  const page = await fetch(`${again.url}/v1/events?since=0&limit=1000`, { headers })
  const { events } = (await page.json()) as { events: unknown[] }
  await more.run({ kind: 'end' })
  await again.stop()
  const bytes = (sizeOf(control.database) - before) / failovers
  return { failovers, bytes, eventsEach: Math.min(events.length, 1_000) / failovers, idleBytes }
}

const whole = (n: number): string => (Number.isFinite(n) ? Math.round(n).toLocaleString('en') : '–')
const ms = (n: number): string => (Number.isFinite(n) ? n.toFixed(n < 10 ? 2 : 0) : '–')
const both = ({ p50, p99 }: { p50: number; p99: number }): string => `${ms(p50)} / ${ms(p99)}`

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

type Found = {
  readonly links: readonly Awaited<ReturnType<typeof measureLinks>>[]
  readonly posts: readonly Awaited<ReturnType<typeof measurePosts>>[]
  readonly many: Awaited<ReturnType<typeof measureMany>> | null
  readonly growth: Awaited<ReturnType<typeof measureGrowth>> | null
}

function describe({ links, posts, many, growth }: Found): string {
  return [
    ...(links.length > 0 ? [describeLinks(links)] : []),
    ...(posts.length > 0 ? [describePosts(posts)] : []),
    ...(many === null ? [] : [describeMany(many)]),
    ...(growth === null ? [] : [describeGrowth(growth)]),
  ].join('\n\n')
}

function describeLinks(links: Found['links']): string {
  const rows = links.map((row) => [
    whole(row.agents),
    whole(row.perSecond),
    both(row.acknowledged),
    both(row.decided),
    Number.isFinite(row.busy.p50) ? `${both(row.busy)} at ${whole(row.busyRate)}/s` : '–',
    row.agents < 10 ? '–' : whole(row.perAgentKb),
    `${row.idlePercent.toFixed(1)} %`,
  ])
  return [
    'Agents with a link each, in pairs of one service. A report: one that changes something, so that its node’s row is',
    'written. Durable: from the first of ten reports until the tenth’s acknowledgement. Decision: from the rival’s',
    'report, the owner’s link being closed, until the rival’s link carries the new owner, durably; p50 / p99 in ms.',
    '',
    table(['agents', 'reports/s', 'ten durable', 'decision', 'decision under load', 'KB/agent', 'idle CPU'], rows),
  ].join('\n')
}

function describePosts(posts: Found['posts']): string {
  const rows = posts.map((row) => [
    whole(row.connections),
    whole(row.control),
    both(row.controlMs),
    whole(row.bare),
    both(row.bareMs),
    (row.control / row.bare).toFixed(2),
    `${whole(row.cpuUs.control)}, ${whole(row.cpuUs.bare)}`,
  ])
  return [
    'The same reports posted over HTTP, one after the other on each connection, beside a bare Hono route that writes',
    'the same row into the same kind of database (FULL, commits in groups) and does nothing else. p50 / p99 in ms.',
    'CPU: microseconds of a processor that each of them spends on a report, whoever else is using this machine.',
    '',
    table(['connections', 'control/s', 'ms', 'bare route/s', 'ms', 'ratio', 'CPU: control, bare'], rows),
  ].join('\n')
}

function describeMany({ services, node, ...many }: NonNullable<Found['many']>): string {
  const lost = `a node with ${node.services} services is lost: first and last new owner`
  return [
    `${whole(services)} services in one database, on ${whole((2 * services) / node.services)} nodes.`,
    '',
    table(
      ['what', 'measured'],
      [
        ['start, empty database', `${whole(many.freshStartMs)} ms`],
        ['start, everything owned', `${whole(many.startMs)} ms`],
        ['all agents connect, all services get their first owner', `${whole(many.connectMs)} ms`],
        ['memory before, and with everything owned', `${whole(many.emptyMb)} MB, ${whole(many.mb)} MB`],
        ['idle, every agent pinging', `${many.idlePercent.toFixed(1)} % of a processor`],
        ['GET /v1/services/one, p50 / p99', `${both(many.one)} ms`],
        ['GET /v1/services, all of them, p50 / p99', `${both(many.all)} ms`],
        ['decision about one service, p50 / p99', `${both(many.decided)} ms`],
        [lost, `${ms(node.firstMs)} ms, ${ms(node.lastMs)} ms`],
        ['database', `${many.sizeMb.toFixed(1)} MB`],
      ],
    ),
  ].join('\n')
}

function describeGrowth({ bytes, eventsEach, idleBytes }: NonNullable<Found['growth']>): string {
  return [
    `Growth: ${whole(bytes)} bytes for each failover, with its ${eventsEach.toFixed(1)} events, its operation and its report;`,
    `${idleBytes} bytes while agents only say that they are alive. A hundred failovers a day are`,
    `${((bytes * 100 * 365) / 2 ** 20).toFixed(0)} MB a year, before \`retention\` removes what is old.`,
  ].join('\n')
}

function conditions(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname })
  const model = cpus()[0]?.model.trim() ?? 'unknown'
  return [
    `\`npm run bench:control${options.quick ? ' -- --quick' : ''}\` at ${commit.trim()}:`,
    `${cpus().length} × ${model}, Linux ${release()}, Node ${process.version},`,
    'with the agents on the same machine and its processors. Only ratios mean anything elsewhere.',
  ].join('\n')
}

/** Replaces this bench's section and leaves the others. */
function writeResults(text: string): void {
  const file = join(import.meta.dirname, 'RESULTS.md')
  let before = '# Results\n'
  try {
    before = readFileSync(file, 'utf8')
  } catch {
    // The first result makes the file.
  }
  const sections = before.split(/^(?=## )/m).filter((section) => !section.startsWith('## bench:control\n'))
  writeFileSync(file, `${sections.join('').trimEnd()}\n\n## bench:control\n\n${text}\n`)
}

async function main(): Promise<void> {
  const chosen = new Set(options.only.split(','))
  const links = []
  const posts = []
  for (const agents of chosen.has('links') ? [1, 100, ...(options.quick ? [] : [1_000])] : [])
    links.push(await measureLinks(agents))
  for (const connections of chosen.has('posts') ? [1, 100] : []) posts.push(await measurePosts(connections))
  const many = chosen.has('many') ? await measureMany(10_000) : null
  const growth = chosen.has('growth') ? await measureGrowth() : null
  const found = { links, posts, many, growth }
  const text = `${conditions()}\n\n${describe(found)}`
  console.log(options.json ? JSON.stringify({ conditions: conditions(), ...found }) : text)
  if (options.write) writeResults(text)
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
