/** The lab itself: what it says it breaks is broken, what it says it measures is so, and it leaves nothing behind. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startKeepalived } from '../../infra/lab/keepalived.ts'
import { createProbeRecord, type ProbeEvent } from '../../infra/lab/probe-record.ts'
import { familyOf, isFrozen, isRunning, type Program } from '../../infra/lab/program.ts'
import { startRelay } from '../../infra/lab/relay.ts'
import { createLab, type Lab, type LabOptions } from '../../infra/lab/topology.ts'
import { startWebService } from '../../infra/lab/web-service.ts'
import { lab } from '../support/lab.ts'
import { bothOf, describeWith, keepalived, nftables } from '../support/peers.ts'

const vip = '10.77.0.50'

async function labFor(options: LabOptions = { nodes: ['n1', 'n2'] }): Promise<Lab> {
  const made = await createLab(options)
  onTestFinished(() => made[Symbol.asyncDispose]())
  return made
}

async function until(holds: () => boolean, what: string, deadlineMs = 5_000): Promise<void> {
  for (const end = Date.now() + deadlineMs; !holds(); ) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await sleep(5)
  }
}

describe('the record of probes', () => {
  /** One probe each millisecond; `lost` says which numbers get no answer, the others get one half a millisecond later. */
  function play(count: number, lost: (n: number) => boolean, at: Record<number, 'mark'> = {}) {
    const events: ProbeEvent[] = []
    const record = createProbeRecord({ timeoutMs: 50, lostAfterMs: 10, intervalMs: 1 }, (event) => events.push(event))
    for (let now = 0; now < count; now += 1) {
      if (at[now] === 'mark') record.mark()
      const sequence = record.sent(now, 0)
      record.settle(now)
      if (!lost(now)) record.answered(sequence, now + 0.5)
    }
    record.report(1)
    record.settle(count + 100)
    return events
  }
  const reportOf = (events: ProbeEvent[]) => events.find((event) => event.event === 'report')

  test('an outage reaches from the last answered probe before it to the first after it', () => {
    const events = play(200, (n) => n >= 100 && n < 130)
    expect(reportOf(events)).toMatchObject({
      sent: 200,
      lost: 30,
      longestOutageMs: 31,
      outages: [{ fromMs: 99, toMs: 130, lost: 30 }],
    })
    expect(events.filter(({ event }) => event === 'lost' || event === 'recovered')).toEqual([
      { event: 'lost', at: 100 },
      { event: 'recovered', at: 130.5, lost: 30, outageMs: 31 },
    ])
  })
  test('a gap shorter than the live limit is counted but is no live event', () => {
    const events = play(100, (n) => n >= 50 && n < 55)
    expect(reportOf(events)).toMatchObject({ lost: 5, longestOutageMs: 6 })
    expect(events.map(({ event }) => event)).toEqual(['answered', 'report'])
  })
  test('an outage that has not ended is open, and as long as it has lasted', () => {
    const report = reportOf(play(100, (n) => n >= 40))
    expect(report).toMatchObject({ lost: 60, outages: [], open: { fromMs: 39, lost: 60 }, longestOutageMs: 60 })
  })
  test('a mark forgets what was sent before it', () => {
    expect(reportOf(play(100, (n) => n === 10 || n === 70, { 50: 'mark' }))).toMatchObject({
      sent: 50,
      lost: 1,
      outages: [{ fromMs: 69, toMs: 71, lost: 1 }],
    })
  })
  test('two outages are two, and a late or repeated answer changes nothing', () => {
    const events: ProbeEvent[] = []
    const record = createProbeRecord({ timeoutMs: 50, lostAfterMs: 10, intervalMs: 1 }, (event) => events.push(event))
    for (let now = 0; now < 300; now += 1) {
      const sequence = record.sent(now, 0)
      record.settle(now)
      if (sequence % 100 !== 20) record.answered(sequence, now)
      if (sequence === 90) record.answered(20, now)
      if (sequence === 95) record.answered(94, now)
      if (sequence === 95) record.answered(10_000, now)
    }
    record.report(1)
    record.settle(1000)
    expect(reportOf(events)).toMatchObject({ sent: 300, lost: 3, longestOutageMs: 2 })
  })
})

describeWith(lab, 'the lab', () => {
  test('a quiet link loses no probe', async () => {
    const made = await labFor()
    const prober = await made.probe({ target: '10.77.0.1' })
    await prober.answered()
    prober.mark()
    await sleep(500)
    const report = await prober.report()
    expect(report.lost).toBe(0)
    expect(report.sent).toBeGreaterThan(400)
    await prober.stop()
  })

  test('the outage that the prober sees is as long as the cable was out', async () => {
    const made = await labFor()
    const live: string[] = []
    const prober = await made.probe({ target: '10.77.0.1', onEvent: ({ event }) => live.push(event) })
    await prober.answered()
    prober.mark()
    const outAt = await made.cableOut('n1')
    await sleep(200)
    const inAt = await made.cableIn('n1')
    await until(() => live.includes('recovered'), 'the first answer after the cable is in again')
    const { outages, lost } = await prober.report()
    expect(outages).toHaveLength(1)
    const { fromMs, toMs } = outages[0]!
    expect(lost).toBe(outages[0]!.lost)
    expect(fromMs).toBeLessThan(outAt)
    expect(toMs).toBeGreaterThan(outAt + 200)
    expect(toMs).toBeLessThan(inAt + 20)
    expect(live).toEqual(['lost', 'recovered'])
  })

  test('a node notices that its cable is out, and keeps the management network', async () => {
    const made = await labFor({ nodes: ['n1', 'n2'], management: true })
    await made.cableOut('n1')
    const { stdout } = await made.run('cat', ['/sys/class/net/eth0/carrier', '/sys/class/net/eth1/carrier'], {
      in: 'n1',
    })
    expect(stdout).toBe('0\n1\n')
    const management = await made.probe({ target: made.addressOf('n1', 'management'), from: 'n2' })
    await management.answered()
  })

  test('a command that fails says what and why', async () => {
    const made = await labFor()
    await expect(made.run('ip', ['link', 'show', 'dev', 'eth7'], { in: 'n1' })).rejects.toThrow(
      /ip netns exec n1.*eth7/s,
    )
    const said: string[] = []
    const absent = await made.spawn('no-such-program', [], { onLine: (line) => said.push(line) })
    // 126 where a folder of PATH may not be read.
    expect([126, 127]).toContain(await absent.exited)
    expect(said.join('\n')).toContain('no-such-program')
  })

  test('freeze, thaw and signals reach the program itself', async () => {
    const made = await labFor()
    const seen: string[] = []
    const program = await made.spawn(
      'sh',
      ['-c', 'trap "echo term" TERM; sleep 600 & echo up; while :; do wait; done'],
      {
        in: 'n1',
        onLine: (line) => seen.push(line),
      },
    )
    await until(() => seen.includes('up') && familyOf(program.pid).length === 2, 'the program and its child')
    const family = familyOf(program.pid)
    program.freeze()
    await until(() => family.every(isFrozen), 'both are frozen')
    program.signal('SIGTERM')
    program.thaw()
    await until(() => seen.includes('term'), 'the frozen program hears its signal when thawed')
    expect(family.some(isFrozen)).toBe(false)
    await program.kill()
    expect(family.filter(isRunning)).toEqual([])
    expect(await program.exited).toBe(137)
    const { stdout } = await made.run('ps', ['-A', '-o', 'stat='])
    expect(stdout).not.toContain('Z')
  })

  test('a program sees its standard input, its environment and Ctrl-C as in a terminal', async () => {
    const made = await labFor()
    const seen: string[] = []
    const program = await made.spawn('sh', ['-c', 'read -r line; echo "$line $WHO"; exec sleep 600'], {
      env: { WHO: 'there' },
      onLine: (line) => seen.push(line),
    })
    program.stdin.write('hello\n')
    await until(() => seen.length > 0, 'the answer')
    expect(seen).toEqual(['hello there'])
    program.signal('SIGINT')
    expect(await program.exited).toBe(130)
  })

  test('a relay makes a port of the lab reachable from outside', async () => {
    const made = await labFor()
    await startWebService(made, 'n1')
    await startWebService(made, 'n2')
    await using relay = await startRelay(made, { to: { host: made.addressOf('n2'), port: 80 } })
    expect(await (await fetch(relay.url)).text()).toBe('n2\n')
    await using local = await startRelay(made, { to: { in: 'n1', port: 80 } })
    expect(await (await fetch(local.url)).text()).toBe('n1\n')
  })
})

describeWith(bothOf(lab, nftables), 'the lab: one-way loss', () => {
  test('nothing of n1 reaches the client, while the client still reaches n1', async () => {
    const made = await labFor()
    const received = async (): Promise<number> => {
      const { stdout } = await made.run('cat', ['/sys/class/net/eth0/statistics/rx_packets'], { in: 'n1' })
      return Number(stdout)
    }
    const live: string[] = []
    const prober = await made.probe({ target: '10.77.0.1', onEvent: ({ event }) => live.push(event) })
    await prober.answered()
    await made.lose({ from: 'n1', to: 'client', protocol: 'all' })
    await until(() => live.includes('lost'), 'the client hears nothing')
    const before = await received()
    await sleep(100)
    expect((await received()) - before).toBeGreaterThan(50)
    expect(live).toEqual(['lost'])
    await made.heal()
    await until(() => live.includes('recovered'), 'the client hears again')
    await made.heal()
  })
})

describeWith(bothOf(bothOf(lab, keepalived), nftables), 'the lab: keepalived', () => {
  const common = { intervalMs: 100, addresses: [`${vip}/24`] }

  async function pair() {
    const made = await labFor()
    const n1 = await startKeepalived(made, 'n1', { ...common, priority: 200 })
    const n2 = await startKeepalived(made, 'n2', { ...common, priority: 100 })
    await n1.untilState('active')
    await made.untilHeldBy(vip, ['n1'])
    return { made, n1, n2 }
  }

  test('a pair elects one holder, moves when the cable is out, and moves back', async () => {
    const { made, n1, n2 } = await pair()
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    await made.cableOut('n1')
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n2'])
    const crash = await prober.report()
    // Three intervals less up to one that had passed, and the skew of priority 100: 261 to 361 ms.
    expect(crash.longestOutageMs).toBeGreaterThan(200)
    await made.cableIn('n1')
    await n1.untilState('active')
    await made.untilHeldBy(vip, ['n1'])
    expect(n2.state()).toBe('backup')
    expect(await n2.stop()).toBe(0)
    await made.untilHeldBy(vip, ['n1'])
  })

  test('one-way loss of adverts makes two holders, which end when it heals', async () => {
    const { made, n2 } = await pair()
    await made.lose({ from: 'n1', to: 'n2' })
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n1', 'n2'])
    await made.heal()
    await n2.untilState('backup')
    await made.untilHeldBy(vip, ['n1'])
  })

  test('a killed router leaves its address behind, a frozen one too', async () => {
    const { made, n1, n2 } = await pair()
    n1.freeze()
    await n2.untilState('active')
    // keepalived says that it is active before it has its address.
    await made.untilHeldBy(vip, ['n1', 'n2'])
    n1.thaw()
    await n2.untilState('backup')
    // And n2 steps back before n1 has it again; only what a router holds can be left behind.
    await made.untilHeldBy(vip, ['n1'])
    await n1.kill()
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n1', 'n2'])
  })
})

describeWith(lab, 'the lab leaves nothing behind', () => {
  test('when it is disposed', async () => {
    const made = await createLab({ nodes: ['n1', 'n2'] })
    const programs: Program[] = []
    for (const node of ['n1', 'n2', 'client']) programs.push(await made.spawn('sleep', ['600'], { in: node }))
    const pids = [made.sandbox.pid, ...programs.map(({ pid }) => pid)]
    const namespaces = pids.map(networkOf)
    expect(new Set(namespaces).size).toBe(4)
    await made[Symbol.asyncDispose]()
    expect(pids.filter(isRunning)).toEqual([])
    expect(usersOf(namespaces)).toEqual([])
    expect(existsSync(made.folder)).toBe(false)
  })

  test('when its creator is killed', async () => {
    const creator = startCreator(process.execPath, [])
    const { pids, folder } = await firstAnswer(creator)
    const namespaces = pids.map(networkOf)
    expect(pids.every(isRunning)).toBe(true)
    creator.kill('SIGKILL')
    await until(() => !pids.some(isRunning), 'its processes are gone')
    await until(() => usersOf(namespaces).length === 0, 'its namespaces are gone')
    await until(() => !existsSync(folder), 'its folder is gone')
  })

  const root = process.getuid?.() === 0
  test.runIf(root)('an ordinary user gets a lab too, and it ends the same way', async ({ skip }) => {
    const readable = spawnSync('runuser', ['-u', 'nobody', '--', 'test', '-r', module('topology.ts')])
    skip(readable.status !== 0, 'the user nobody may not read this checkout')
    const creator = startCreator('runuser', ['-u', 'nobody', '--', process.execPath])
    const { pids, folder, problem } = await firstAnswer(creator)
    skip(problem !== undefined, problem)
    const namespaces = pids.map(networkOf)
    // A signal would reach runuser only. The creator exits when its input ends, without disposing of the lab.
    creator.stdin?.end()
    await until(() => !pids.some(isRunning), 'its processes are gone')
    await until(() => usersOf(namespaces).length === 0, 'its namespaces are gone')
    await until(() => !existsSync(folder), 'its folder is gone')
  })

  const module = (name: string): string => join(import.meta.dirname, '../../infra/lab', name)

  /** Another process that makes a lab, says what is in it, and exits without tidying when its input ends. */
  function startCreator(command: string, args: readonly string[]): ChildProcess {
    const program = `
      import { sandboxProblem } from '${module('sandbox.ts')}'
      import { createLab } from '${module('topology.ts')}'
      const problem = sandboxProblem()
      if (problem) { console.log(JSON.stringify({ problem, pids: [], folder: '' })); process.exit() }
      const lab = await createLab({ nodes: ['n1'] })
      const prober = await lab.probe({ target: '10.77.0.1' })
      await prober.answered()
      const sleeper = await lab.spawn('sh', ['-c', 'sleep 600 & wait'], { in: 'n1' })
      console.log(JSON.stringify({ pids: [lab.sandbox.pid, sleeper.pid], folder: lab.folder }))
      process.stdin.on('end', () => process.exit()).resume()`
    return spawn(command, [...args, '--input-type=module-typescript', '--eval', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
  }

  async function firstAnswer(child: ChildProcess): Promise<{ pids: number[]; folder: string; problem?: string }> {
    const [line] = await once(createInterface({ input: child.stdout! }), 'line')
    return JSON.parse(line as string)
  }

  const networkOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`)

  /** The processes of this machine that are in one of these network namespaces. */
  function usersOf(namespaces: readonly string[]): string[] {
    return readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && namespaces.includes(networkOf(Number(pid)))
      } catch {
        return false
      }
    })
  }
})
