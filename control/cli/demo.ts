/** `holdfast demo`: plays the lab's demo and shows it; then stays, for people to try things, until Ctrl-C. */
import { type DemoResult, playDemo, type Step } from '../../infra/lab/demo/script.ts'
import { createWorld, operatorToken, type World } from '../../infra/lab/demo/world.ts'
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import { duration } from '../config/config-file.ts'
import { CommandError, UsageError } from './failure.ts'

type Options = { readonly once?: boolean; readonly json?: boolean; readonly interval: string }

export async function runDemoCommand({ once = false, json = false, interval }: Options): Promise<void> {
  if (!duration({ min: '10ms', max: '40.95s' }).safeParse(interval).success) {
    throw new UsageError(`--interval ${interval} is not between 10ms and 40.95s; write 100ms or 1s`)
  }
  const problem = sandboxProblem()
  if (problem !== undefined) throw new CommandError(problem)
  const say = (line: string): void => void (json || process.stdout.write(`${line}\n`))
  const interrupted = untilInterrupted()
  say(`Two nodes, a client, control and a cloud are built on this machine. Advertisements every ${interval}.\n`)
  const startedAt = Date.now()
  const making = createWorld(interval)
  const first = await Promise.race([making, interrupted])
  // Only a script that was played to its end can have held.
  process.exitCode = 1
  if (first === 'interrupted') return leave(await making)
  try {
    const playing = playDemo(first, startedAt, (step) => say(describe(step)))
    const result = await Promise.race([playing, interrupted])
    if (result === 'interrupted') {
      // The world is about to be taken from under the script.
      playing.catch(() => {})
      return
    }
    say(summary(result))
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
    process.exitCode = result.held ? 0 : 1
    if (once) return
    say(invitation(first))
    await interrupted
    process.exitCode = 0
  } finally {
    await leave(first)
  }
}

async function leave(world: World): Promise<void> {
  await world[Symbol.asyncDispose]()
}

/** Ctrl-C, `kill`, or the terminal going away. */
function untilInterrupted(): Promise<'interrupted'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve('interrupted'))
  })
}

function describe({ name, held, text, afterMs, atMs }: Step): string {
  const heading = headings[name]
  const time = typeof afterMs === 'number' ? `+${afterMs} ms` : `${(atMs / 1_000).toFixed(1)} s`
  return `${heading === undefined ? '' : `\n${heading}\n`}${held ? '  ✓' : '  ✗'} ${time.padStart(9)}  ${text}`
}

const headings: Readonly<Record<string, string>> = {
  'service up': 'The service comes up',
  'cable cut': 'The active node’s cable is cut',
  'cable back': 'The cable is plugged back',
  'planned switchover': 'A planned switchover',
  'VRRP process killed': 'The VRRP process is killed',
}

function summary({ held, crash, failback, switchover, processKill }: DemoResult): string {
  return [
    '',
    `Cable cut: ${crash.lost} probes of 1000 a second lost; the LAN moved after ${crash.lanMs} ms, ` +
      `the cloud after ${crash.cloudMs} ms.`,
    `Lost at failback ${failback.lost}, at the planned switchover ${switchover.lost}, ` +
      `when the VRRP process was killed ${processKill.lost}.`,
    held ? 'Every step held.' : 'NOT every step held: see the lines marked ✗.',
  ].join('\n')
}

function invitation({ control, agents, lab }: World): string {
  const holdfast = 'npm run -s holdfast --'
  const inside = lab.sandbox.enter.join(' ')
  return [
    '\nIt stays up. In another terminal, from this folder:\n',
    `  export HOLDFAST_URL=${control.outsideUrl} HOLDFAST_TOKEN=${operatorToken}`,
    `  ${holdfast} status --watch`,
    `  ${holdfast} switchover web --to n2 --wait`,
    `  ${holdfast} drain n2 --wait        # and undrain n2`,
    `  ${holdfast} events --follow`,
    `  ${holdfast} status --socket ${agents.n1.socket}`,
    `  ${inside} ip link set dev n1 down        # cut n1's cable; up plugs it back`,
    `  ${inside} ip netns exec client curl -s http://10.77.0.50/   # who answers?`,
    '\nCtrl-C ends it and leaves nothing behind.',
  ].join('\n')
}
