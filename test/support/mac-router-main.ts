/**
 * One VRRP process with the supervisor's side of its pipe, for routers that are given whole: what it says leaves as JSON
 * lines on standard output; SIGTERM makes it resign. Argument: `{ routers, record, holding }` in the pipe's encoding.
 */
import { createLineDecoder, encodeLine } from '../../node-agent/lines.ts'
import type { ToVrrp } from '../../node-agent/ports.ts'
import { startVrrpChild } from '../../node-agent/vrrp-child.ts'

type Given = Pick<ToVrrp & { readonly kind: 'configure' }, 'routers' | 'record' | 'holding'>

const [given] = createLineDecoder<Given>()(`${process.argv[2]}\n`)
const say = (value: unknown): void => void process.stdout.write(encodeLine(value))

const child = startVrrpChild({
  configuration: () => ({ kind: 'configure', ...given!, standings: {}, leases: {}, realtime: false, first: true }),
  onMessage: ({ message }) => say(message),
  onDeath: (how) => say({ kind: 'died', how }),
  onRefused: () => say({ kind: 'ended' }),
})

process.on('SIGTERM', () => {
  void child.stop(5_000).then((politely) => process.exit(politely ? 0 : 1))
})
