/** `accept: false` (T-54, T-55): nobody is answered at the addresses, but ARP and neighbour discovery are. */
import { expect, test } from 'vitest'
import { startAgent } from '../../infra/lab/agent.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { agentPair, labFor, startWeb, until, vip, webService } from '../support/agents.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'
import { filterTables, reload } from '../support/reload.ts'

/** Exit code and all; a command of `sh` that may fail. */
async function shell(made: Lab, node: string, script: string): Promise<string> {
  const { stdout } = await made.run('sh', ['-c', `{ ${script}; } 2>&1; echo "exit $?"`], { in: node })
  return stdout
}

/** Whether ICMP echoes are answered: all of some, or none. */
async function isPinged(made: Lab, target: string): Promise<boolean> {
  const prober = await made.probe({ target, intervalMs: 20, timeoutMs: 300 })
  let report = await prober.report()
  while (report.sent < 5) report = await prober.report()
  await prober.stop()
  return report.lost < report.sent
}

/** A connection to a port where nobody listens: refused by a machine that takes packets, and met by silence else. */
const isRefused = async (made: Lab, target: string): Promise<boolean> =>
  /refused/i.test(await shell(made, 'client', `timeout 1 bash -c '</dev/tcp/${target}/9'`))

const neighbour = async (made: Lab, target: string): Promise<string> =>
  (await made.run('ip', ['neigh', 'show', target], { in: 'client' })).stdout

describeWith(lab, 'accept: false', () => {
  test('T-54, A-05: the active node answers ARP, and no packet, from its first moment on; accept: true takes both', async () => {
    const made = await labFor()
    const n1 = await startWeb(made, 'n1', { accept: false })
    await n1.untilState('active')
    await made.untilHeldBy(vip, ['n1'])
    expect(await isPinged(made, vip)).toBe(false)
    expect(await neighbour(made, vip)).toMatch(/lladdr/)
    expect(await isRefused(made, vip)).toBe(false)
    // Its own address is none of the service's.
    expect(await isPinged(made, made.addressOf('n1'))).toBe(true)
    expect(await isRefused(made, made.addressOf('n1'))).toBe(true)

    const { code } = await reload(n1, { services: { web: webService({ accept: true }) } })
    expect(code).toBe(0)
    expect(await isPinged(made, vip)).toBe(true)
    expect(await isRefused(made, vip)).toBe(true)
    expect(await filterTables(made, 'n1')).toEqual([])
    // It was active all the time.
    expect(n1.state('web')).toBe('active')
  })

  test('T-54, A-06: neighbour solicitations are answered, and nothing else of IPv6', async () => {
    const made = await labFor()
    const n1 = await startWeb(made, 'n1', { accept: false, addresses: [`${vip}/24`, 'fd77::50/64'] })
    // Who installs it and when is not the filter's concern: that is there before any address.
    await n1.untilEvent(({ event }) => event === 'agent-started')
    await shell(made, 'n1', 'ip addr replace fd77::50/64 dev eth0 nodad')
    await shell(made, 'n1', 'ip addr replace fd77::1/64 dev eth0 nodad')
    await shell(made, 'client', 'ip addr replace fd77::100/64 dev eth0 nodad')
    await until(() => isRefused(made, 'fd77::1'), 'IPv6 works')
    expect(await isRefused(made, 'fd77::50')).toBe(false)
    expect(await neighbour(made, 'fd77::50')).toMatch(/lladdr/)
  })

  test('T-54, A-05: the address owner answers', async () => {
    const made = await labFor()
    await made.run('ip', ['addr', 'add', `${vip}/24`, 'dev', 'eth0'], { in: 'n1' })
    const n1 = await startWeb(made, 'n1', { priority: 255 })
    await n1.untilState('active')
    await until(() => isPinged(made, vip), 'the owner answers')
    expect(await filterTables(made, 'n1')).toEqual([])
  })

  test('T-55, A-07: a router does not pass on what is for the addresses', async () => {
    const { made, n2 } = await agentPair({ n2: { accept: false } })
    // The client believes that n2 has the address; n2 forwards, and n1, which has it, takes packets.
    await shell(made, 'n2', 'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0')
    await shell(made, 'n2', 'sysctl -qw net.ipv4.conf.eth0.send_redirects=0')
    const mac = (await shell(made, 'n2', 'cat /sys/class/net/eth0/address')).split('\n')[0]
    const mislead = () => shell(made, 'client', `ip neigh replace ${vip} lladdr ${mac} nud permanent dev eth0`)
    await mislead()
    expect(await isRefused(made, vip)).toBe(false)
    const { code } = await reload(n2, { services: { web: webService({ priority: 100, accept: true }) } })
    expect(code).toBe(0)
    await mislead()
    expect(await isRefused(made, vip)).toBe(true)
  })

  test('the table goes with the agent; what a killed one left is replaced by the next, or removed', async () => {
    const made = await labFor()
    const socket = `${made.folder}/n1.sock`
    const start = (accept: boolean) => startAgent(made, 'n1', { socket, services: { web: webService({ accept }) } })
    const first = await start(false)
    await first.untilState('active')
    expect(await filterTables(made, 'n1')).toHaveLength(1)
    expect(await first.stop()).toBe(0)
    expect(await filterTables(made, 'n1')).toEqual([])

    const second = await start(false)
    await second.untilState('active')
    await second.kill()
    const left = await filterTables(made, 'n1')
    expect(left).toHaveLength(1)
    const third = await start(false)
    await third.untilState('active')
    expect(await filterTables(made, 'n1')).toEqual(left)
    await third.kill()
    const fourth = await start(true)
    await fourth.untilState('active')
    expect(await filterTables(made, 'n1')).toEqual([])
    expect(await isPinged(made, vip)).toBe(true)
  })

  test('other tables stay as they are, also one that accepts all', async () => {
    const made = await labFor()
    const rules = 'add table inet mine; add chain inet mine in { type filter hook input priority 0; policy accept; }'
    await made.run('nft', [rules], { in: 'n1' })
    const n1 = await startWeb(made, 'n1', { accept: false })
    await n1.untilState('active')
    expect(await isPinged(made, vip)).toBe(false)
    expect(await n1.stop()).toBe(0)
    expect((await made.run('nft', ['list', 'tables'], { in: 'n1' })).stdout).toBe('table inet mine\n')
  })

  test('where nft does not work, nothing starts, and one line says what to do', async () => {
    const made = await labFor()
    // Not there, for this agent alone.
    const config = `${made.folder}/no-nft.json`
    const text = JSON.stringify({
      socket: `${made.folder}/no-nft.sock`,
      services: { web: webService({ accept: false }) },
    })
    const program = `${import.meta.dirname}/../../control/cli/main.ts`
    const script = [
      `echo '${text}' > ${config}`,
      'for each in /usr/sbin/nft /sbin/nft /usr/bin/nft; do [ -e $each ] && mount --bind /dev/null $each; done',
      `exec ${process.execPath} ${program} agent --config ${config}`,
    ]
    const said = await shell(made, 'n1', `unshare -m sh -c '${script.join('\n').replaceAll("'", `'\\''`)}'`)
    expect(said).toMatch(
      /holdfast: accept: false of web can’t be without nftables: nft .*; or leave it out of the configuration\nexit 1\n$/,
    )
    expect(await made.holdersOf(vip)).toEqual([])
  })
})
