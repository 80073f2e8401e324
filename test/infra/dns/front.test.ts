/** The front that makes a DNS server go wrong, before one that holds a single address. */
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  addressData,
  addressOf,
  classes,
  decodeMessage,
  encodeMessage,
  type Message,
  opcodes,
  types,
} from '../../../adapters/rfc2136/message.ts'
import { exchange } from '../../../adapters/rfc2136/node/transport.ts'
import { type Key, sign, verify } from '../../../adapters/rfc2136/tsig.ts'
import { createDnsFront } from '../../../infra/lab/dns/front.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'

const key: Key = { name: 'lab', algorithm: 'hmac-sha256', secret: Uint8Array.from({ length: 32 }, (_, i) => i) }
const vip = 'vip.example.com'
const question = { name: vip, type: types.A, class: classes.IN }
const seconds = () => Math.floor(Date.now() / 1000)
const record = (address: string) => ({ ...question, ttl: 30, data: addressData(address) })

/** An UPDATE's first change is the address from then on; everything else is answered with it. */
async function startServer() {
  let address = '192.0.2.1'
  let asked = 0
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    let pending = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0)
        const { message } = decodeMessage(Uint8Array.from(pending.subarray(2, 2 + length)))!
        pending = pending.subarray(2 + length)
        asked += 1
        if (message.opcode === opcodes.update) address = addressOf(message.authorities[0]!.data)!
        const answers = message.opcode === opcodes.update ? [] : [record(address)]
        const head = { ...message, response: true, authoritative: true, rcode: 0, additionals: [], authorities: [] }
        const bytes = encodeMessage({ ...head, answers })
        socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return {
    port: (server.address() as AddressInfo).port,
    address: () => address,
    asked: () => asked,
    set: (next: string) => {
      address = next
    },
  }
}

async function start() {
  const timers = createManualTimers()
  const server = await startServer()
  const front = await createDnsFront({ port: server.port, key, watched: [question], timers })
  onTestFinished(() => front.close())
  /** One message of the test's own: what becomes of it, and whether the answer's signature holds. */
  const send = async (more: Partial<Message>) => {
    const head = { id: 7, opcode: opcodes.query, response: false, authoritative: false, rcode: 0 }
    const lists = { questions: [question], answers: [], authorities: [], additionals: [] }
    const { bytes, mac } = await sign(encodeMessage({ ...head, ...lists, ...more }), key, seconds())
    const to = { host: '127.0.0.1', port: front.port }
    const sent = await exchange(to, [bytes], { signal: new AbortController().signal, timeoutMs: 5_000 })
    if (sent.kind !== 'answered') return { rcode: null, address: null, signed: false }
    const decoded = decodeMessage(sent.answers[0]!)!
    const [answer] = decoded.message.answers
    const verified = await verify(sent.answers[0]!, decoded, { key, requestMac: mac, seconds: seconds() })
    const address = answer === undefined ? null : addressOf(answer.data)
    return { rcode: decoded.message.rcode, address, signed: verified.kind === 'holds' }
  }
  const zone = { name: 'example.com', type: types.SOA, class: classes.IN }
  const update = (address: string) => {
    return send({ opcode: opcodes.update, questions: [zone], authorities: [record(address)] })
  }
  return { front, server, timers, update, look: () => send({}), soa: () => send({ questions: [zone] }) }
}

test('passes messages on as they are, and calls them by what they ask', async () => {
  const { front, server, update, look, soa } = await start()
  expect(await update('192.0.2.2')).toMatchObject({ rcode: 0 })
  expect(await look()).toMatchObject({ rcode: 0, address: '192.0.2.2' })
  await soa()
  expect(server.address()).toBe('192.0.2.2')
  expect(front.requests).toEqual(['UPDATE', 'QUERY', 'SOA'].map((action) => ({ action, outcome: 'code 0' })))
})

test('refuses by a code of DNS, signed, in the place of the server', async () => {
  const { front, server, update } = await start()
  const asked = server.asked()
  front.faults.add({ kind: 'error', code: 'REFUSED', action: 'UPDATE', next: 1 })
  expect(await update('192.0.2.2')).toEqual({ rcode: 5, address: null, signed: true })
  expect([server.address(), server.asked()]).toEqual(['192.0.2.1', asked])
})

test('resets before the server has heard of it, or after it has acted', async () => {
  const { front, server, update } = await start()
  front.faults.add({ kind: 'reset-before', next: 1 })
  expect(await update('192.0.2.2')).toMatchObject({ rcode: null })
  expect(server.address()).toBe('192.0.2.1')
  front.faults.add({ kind: 'reset-after', next: 1 })
  expect(await update('192.0.2.3')).toMatchObject({ rcode: null })
  expect(server.address()).toBe('192.0.2.3')
  expect(front.requests.map(({ outcome }) => outcome)).toEqual(['reset', 'code 0, then reset'])
})

test('lets the server act, and does not answer', async () => {
  const { front, server, update } = await start()
  front.faults.add({ kind: 'hang-after', next: 1 })
  void update('192.0.2.2')
  await vi.waitFor(() => expect(front.requests.at(-1)?.outcome).toBe('code 0, not answered'))
  expect(server.address()).toBe('192.0.2.2')
})

test('holds an update, and delivers it after a newer one', async () => {
  const { front, server, timers, update } = await start()
  front.faults.add({ kind: 'late-write', ms: 300, next: 1 })
  expect(await update('192.0.2.2')).toMatchObject({ rcode: null })
  await update('192.0.2.3')
  timers.pass(299)
  await front.idle()
  expect(server.address()).toBe('192.0.2.3')
  timers.pass(1)
  await front.idle()
  expect(server.address()).toBe('192.0.2.2')
})

test('shows what was, signed anew, also when it was changed past the front', async () => {
  const { front, server, timers, update, look } = await start()
  await update('192.0.2.2')
  timers.pass(100)
  server.set('192.0.2.3')
  await front.changed()
  front.faults.add({ kind: 'stale-reads', ms: 500 })
  expect(await look()).toEqual({ rcode: 0, address: '192.0.2.1', signed: true })
  timers.pass(450)
  expect(await look()).toMatchObject({ address: '192.0.2.2' })
  timers.pass(100)
  expect(await look()).toMatchObject({ address: '192.0.2.3' })
})
