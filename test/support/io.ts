/** The agent's ports on Linux in a namespace of the lab, without an engine: what they are told to do, and what they hear. */
import { join } from 'node:path'
import type { Program } from '../../infra/lab/program.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { createLineDecoder, encodeLine } from '../../node-agent/lines.ts'
import type { Carried } from '../../node-agent/linux/vrrp-sockets.ts'
import type { AddressChange, Announcement, FromVrrp } from '../../node-agent/ports.ts'
import type { Outgoing } from '../../node-agent/vrrp/datagrams.ts'
import type { Input } from '../../node-agent/vrrp/engine.ts'
import { formatAddress } from '../../node-agent/wire/address.ts'

export type Order = { readonly id: number } & Command

export type Command =
  | { readonly kind: 'carry'; readonly routers: readonly Carried[] }
  | { readonly kind: 'send'; readonly outgoing: readonly Outgoing[] }
  | { readonly kind: 'change'; readonly changes: readonly AddressChange[] }
  | { readonly kind: 'announce'; readonly announcements: readonly Announcement[] }

export type IoLine =
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'input'; readonly input: Input }
  | { readonly kind: 'said'; readonly message: FromVrrp }

export type Io = {
  readonly program: Program
  /** Everything that came in, in order; it grows. */
  readonly inputs: readonly Input[]
  readonly said: readonly FromVrrp[]
  /** Resolves when the ports have returned from it. */
  do(command: Command): Promise<void>
  /** Resolves when it holds, looked at anew with everything that comes in. */
  until(holds: () => boolean, what: string): Promise<void>
}

/** `leaveSiblings`: without the care that removing one address removes no other. */
export async function startIo(lab: Lab, node: string, { leaveSiblings = false } = {}): Promise<Io> {
  const inputs: Input[] = []
  const said: FromVrrp[] = []
  const errors: string[] = []
  const done = new Map<number, PromiseWithResolvers<void>>([[0, Promise.withResolvers<void>()]])
  const looking = new Set<() => void>()
  const decode = createLineDecoder<IoLine>()
  const main = join(import.meta.dirname, 'io-main.ts')
  const record = join(lab.folder, `io-${node}.sysctls`)
  const program = await lab.spawn(process.execPath, [main, record, ...(leaveSiblings ? ['leave-siblings'] : [])], {
    in: node,
    onLine(text, stream) {
      if (stream === 'stderr') return void errors.push(text)
      for (const line of decode(`${text}\n`)) {
        if (line.kind === 'input') inputs.push(line.input)
        else if (line.kind === 'said') said.push(line.message)
        else done.get(line.id)?.resolve()
      }
      for (const look of [...looking]) look()
    },
  })
  void program.exited.then((code) => {
    const error = new Error(`the ports on ${node} ended (${code}): ${errors.join('\n')}`)
    for (const { reject } of done.values()) reject(error)
  })
  await done.get(0)!.promise
  return {
    program,
    inputs,
    said,
    do(command) {
      const id = done.size
      const waiting = Promise.withResolvers<void>()
      done.set(id, waiting)
      program.stdin.write(encodeLine({ ...command, id } satisfies Order))
      return waiting.promise
    },
    until: (holds, what) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!holds()) return
          clearTimeout(timer)
          looking.delete(look)
          resolve()
        }
        const late = (): void => {
          looking.delete(look)
          reject(new Error(`not within 15 s on ${node}: ${what}; it heard ${describe(inputs.slice(-5))}`))
        }
        const timer = setTimeout(late, 15_000)
        looking.add(look)
        look()
      }),
  }
}

function describe(inputs: readonly Input[]): string {
  return inputs.map((input) => encodeLine(input).trim()).join(' ')
}

/** The datagrams that came by an interface so far. */
export function datagramsFrom({ inputs }: Io, name = 'eth0'): Uint8Array[] {
  return inputs.flatMap((input) => (input.kind === 'datagram' && input.interface === name ? [input.bytes] : []))
}

/** The addresses of an interface as last told; undefined while there is no such interface. */
export function addressesOf({ inputs }: Io, name = 'eth0'): string[] | undefined {
  const last = inputs.findLast((input) => input.kind === 'interface' && input.interface === name)
  return last?.kind === 'interface' ? last.status?.addresses.map(({ address }) => formatAddress(address)) : undefined
}
