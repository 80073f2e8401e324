/**
 * Makes a TCP port inside the lab reachable on this machine's loopback.
 *
 *     another terminal ──TCP──▶ our process ──Unix socket──▶ relay-main.ts in the namespace ──TCP──▶ port
 *
 * Namespaces part networks, not the file system: a Unix socket in the lab's folder leads across.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Lab } from './topology.ts'

export type RelayOptions = {
  /** Address and port on this machine's loopback. Port 0, the default, takes a free one: `127.0.0.1:0`. */
  readonly listen?: string
  /** Where inside. Without `in`, as seen from the switch. Default host: 127.0.0.1. */
  readonly to: { readonly in?: string; readonly host?: string; readonly port: number }
}

export type Relay = { readonly url: string; readonly port: number; [Symbol.asyncDispose](): Promise<void> }

export async function startRelay(lab: Lab, { listen = '127.0.0.1:0', to }: RelayOptions): Promise<Relay> {
  const path = join(lab.folder, `relay-${randomUUID().slice(0, 8)}`)
  const ready = Promise.withResolvers<void>()
  const complaints: string[] = []
  const inner = await lab.spawn(
    process.execPath,
    [join(import.meta.dirname, 'relay-main.ts'), path, to.host ?? '127.0.0.1', String(to.port)],
    {
      ...(to.in === undefined ? {} : { in: to.in }),
      onLine: (line) => (line === 'listening' ? ready.resolve() : complaints.push(line)),
    },
  )
  void inner.exited.then(() => ready.reject(new Error(`the relay to port ${to.port} ended: ${complaints.join(' ')}`)))
  await ready.promise

  const open = new Set<Socket>()
  const server = createServer((outside) => {
    open.add(outside.once('close', () => open.delete(outside)))
    connectBoth(outside, connect(path))
  })
  const colon = listen.lastIndexOf(':')
  server.listen(Number(listen.slice(colon + 1)), listen.slice(0, colon))
  await once(server, 'listening')
  const { address, port } = server.address() as AddressInfo
  return {
    url: `http://${address}:${port}`,
    port,
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of open) socket.destroy()
      inner.signal('SIGTERM')
      await inner.exited
    },
  }
}

/** Bytes both ways until either side ends; the end or the failure of one is that of the other. */
export function connectBoth(a: Socket, b: Socket): void {
  a.pipe(b).pipe(a)
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
}
