/**
 * One VRRP process with the supervisor's side of its pipe, for routers that are given whole: what it says leaves as JSON
 * lines on standard output; SIGTERM makes it resign. The first line on standard input is `{ routers, record, holding,
 * realtime }` in the pipe's encoding.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createLineDecoder, encodeLine } from '../../node-agent/lines.ts'
import type { ToVrrp } from '../../node-agent/ports.ts'
import { startVrrpChild } from '../../node-agent/vrrp-child.ts'

type Given = Pick<ToVrrp & { readonly kind: 'configure' }, 'routers' | 'record' | 'holding' | 'realtime'>

const [line] = (await once(createInterface({ input: process.stdin }), 'line')) as [string]
const [given] = createLineDecoder<Given>()(`${line}\n`)
const say = (value: unknown): void => void process.stdout.write(encodeLine(value))

const child = startVrrpChild({
  configuration: () => ({ kind: 'configure', ...given!, standings: {}, leases: {}, first: true }),
  onMessage: ({ message }) => say(message),
  onDeath: (how) => say({ kind: 'died', how }),
  onRefused: () => say({ kind: 'ended' }),
})

process.on('SIGTERM', () => {
  void child.stop(5_000).then((politely) => process.exit(politely ? 0 : 1))
})
