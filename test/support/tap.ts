/**
 * What is really on the wire: every ARP, neighbour advertisement and VRRP frame that reaches the client, and any frame
 * that a test wants sent.
 */
import { join } from 'node:path'
import type { Lab } from '../../infra/lab/topology.ts'
import { type Address, formatAddress, formatMac } from '../../node-agent/wire/address.ts'
import { encodeEthernet, groupMac } from '../../node-agent/wire/ethernet.ts'
import { decodeIp } from '../../node-agent/wire/ip.ts'
import { decodeHeader, type Header, multicastGroupOf } from '../../node-agent/wire/vrrp.ts'

export const ethernet = { sourceAt: 6, typeAt: 12, headerLength: 14 } as const
export const etherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const

export const icmpv6 = 58
export const neighbourAdvertisement = 136

/** Every frame that a tap sends comes from here, so that it is never taken for a router's own. */
export const injectorMac = Uint8Array.of(0x02, 0x77, 0xff, 0, 0, 1)

export type Injection = {
  readonly id: number
  readonly frames: readonly string[]
  readonly count: number
  readonly gapMs: number
}

export type TapLine =
  | { readonly kind: 'ready' }
  | { readonly kind: 'frame'; readonly at: number; readonly hex: string }
  | { readonly kind: 'sent'; readonly id: number }

/** `at`: milliseconds of the lab's clock when it reached the client's kernel. */
type Seen = { readonly at: number; readonly from: string; readonly to: string; readonly bytes: Uint8Array }

export type Frame =
  | (Seen & { readonly kind: 'vrrp'; readonly source: string; readonly ttl: number; readonly header: Header })
  /** `gratuitous`: it tells where an address is, and asks nothing. */
  | (Seen & { readonly kind: 'arp'; readonly address: string; readonly gratuitous: boolean })
  /** `flags`: router 0x80, solicited 0x40, override 0x20. */
  | (Seen & { readonly kind: 'neighbour'; readonly address: string; readonly flags: number; readonly ttl: number })

export type Tap = {
  /** All that came, in the order of the wire; it grows. */
  readonly frames: readonly Frame[]
  /** The first frame that fits, of those from number `from` on and those to come. */
  until(fits: (frame: Frame) => boolean, options?: { from?: number; deadlineMs?: number }): Promise<Frame>
  /** Sends these datagrams in turn to the MAC of their family's VRRP group until `count` have left, one each `gapMs`. */
  inject(datagrams: readonly Uint8Array[], options: { count: number; gapMs: number }): Promise<void>
}

/** Taps the client's eth0, until the lab is gone. */
export async function startTap(lab: Lab): Promise<Tap> {
  const frames: Frame[] = []
  const waiting = new Set<() => void>()
  const sent = new Map<number, () => void>()
  const ready = Promise.withResolvers<void>()
  const said: string[] = []
  const program = await lab.spawn(process.execPath, ['--single-threaded', join(import.meta.dirname, 'tap-main.ts')], {
    in: 'client',
    onLine(text, stream) {
      if (stream === 'stderr') return void said.push(text)
      const line = JSON.parse(text) as TapLine
      if (line.kind === 'ready') ready.resolve()
      if (line.kind === 'sent') sent.get(line.id)?.()
      if (line.kind !== 'frame') return
      const frame = decodeFrame(line.at, Uint8Array.from(Buffer.from(line.hex, 'hex')))
      if (frame === undefined) return
      frames.push(frame)
      for (const look of [...waiting]) look()
    },
  })
  void program.exited.then((code) => ready.reject(new Error(`the tap ended (${code}): ${said.join(' ')}`)))
  await ready.promise
  let injections = 0
  return {
    frames,
    until: (fits, { from = 0, deadlineMs = 30_000 } = {}) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = frames.slice(from).find(fits)
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found)
        }
        const late = (): void => {
          waiting.delete(look)
          reject(new Error(`no such frame came to the client within ${deadlineMs} ms`))
        }
        const timer = setTimeout(late, deadlineMs)
        waiting.add(look)
        look()
      }),
    inject: (datagrams, { count, gapMs }) =>
      new Promise((resolve) => {
        injections += 1
        sent.set(injections, resolve)
        const order: Injection = { id: injections, frames: datagrams.map(frameOf), count, gapMs }
        program.stdin.write(`${JSON.stringify(order)}\n`)
      }),
  }
}

function decodeFrame(at: number, bytes: Uint8Array): Frame | undefined {
  const seen = { at, from: formatMac(bytes.subarray(6, 12)), to: formatMac(bytes.subarray(0, 6)), bytes }
  const body = bytes.subarray(ethernet.headerLength)
  if (((bytes[ethernet.typeAt]! << 8) | bytes[ethernet.typeAt + 1]!) === etherType.arp) {
    const [sender, target]: Address[] = [body.subarray(14, 18), body.subarray(24, 28)]
    const [address, other] = [formatAddress(sender!), formatAddress(target!)]
    return { ...seen, kind: 'arp', address, gratuitous: address === other }
  }
  const datagram = decodeIp(body)
  if (datagram === undefined) return undefined
  const { ttl, payload } = datagram
  if (datagram.protocol === icmpv6) {
    return { ...seen, kind: 'neighbour', address: formatAddress(payload.subarray(8, 24)), flags: payload[4]!, ttl }
  }
  const header = decodeHeader(payload)
  return header && { ...seen, kind: 'vrrp', source: formatAddress(datagram.source), ttl, header }
}

/** In an Ethernet frame to the MAC address of the VRRP group of its family. */
function frameOf(datagram: Uint8Array): string {
  const family = datagram[0]! >> 4 === 6 ? 'ipv6' : 'ipv4'
  const destination = groupMac(multicastGroupOf(family))
  return Buffer.from(encodeEthernet({ destination, source: injectorMac, type: etherType[family] }))
    .toString('hex')
    .concat(Buffer.from(datagram).toString('hex'))
}
