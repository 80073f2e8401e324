/** What rfc2136 makes of answers, and of what is none: its tables, and servers that are not what they should be. */
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { failureOfAnswer } from '../../../adapters/rfc2136/errors.ts'
import { type Decoded, decodeMessage, encodeMessage, type Message } from '../../../adapters/rfc2136/message.ts'
import { rfc2136Schema } from '../../../adapters/rfc2136/schema.ts'
import { macIn, sign } from '../../../adapters/rfc2136/tsig.ts'
import { adapterAt, names, signingKey } from './worlds.ts'

const signal = () => AbortSignal.timeout(10_000)
const move = { node: 'n1', epoch: 1, token: null }
const empty = { opcode: 0, response: true, authoritative: true, questions: [], authorities: [], additionals: [] }

describe('codes', () => {
  const kindOf = (rcode: number, update: boolean) => {
    const message: Message = { ...empty, id: 1, rcode, answers: [] }
    return failureOfAnswer(message, { kind: 'holds' }, { update, nowMs: 0 })?.kind ?? 'fine'
  }

  test.each([
    [0, 'fine', 'fine'],
    [1, 'permanent', 'permanent'],
    [2, 'retry', 'retry'],
    [3, 'conflict', 'fine'],
    [4, 'permanent', 'permanent'],
    [5, 'permanent', 'permanent'],
    [6, 'conflict', 'conflict'],
    [7, 'conflict', 'conflict'],
    [8, 'conflict', 'conflict'],
    [9, 'permanent', 'permanent'],
    [10, 'permanent', 'permanent'],
    [11, 'permanent', 'permanent'],
  ])('code %i is %s of an update, and %s of a question', (rcode, ofUpdate, ofQuestion) => {
    expect([kindOf(rcode, true), kindOf(rcode, false)]).toEqual([ofUpdate, ofQuestion])
  })

  test.each([
    [16, null, 'BADSIG', /same secret/],
    [17, null, 'BADKEY', /does not know the key/],
    [18, 1_000, 'BADTIME', /clock is 500 s ahead of the server's/],
    [18, 2_000, 'BADTIME', /clock is 500 s behind the server's/],
    [22, null, 'TSIG 22', /does not accept/],
  ])('%i of a signature, with the server at %s, is %s', (error, serverSeconds, code, words) => {
    const message: Message = { ...empty, id: 1, rcode: 9, answers: [] }
    const verified = { kind: 'error', error, serverSeconds } as const
    const failure = failureOfAnswer(message, verified, { update: true, nowMs: 1_500_000 })
    expect(failure).toMatchObject({ kind: 'permanent', code, message: expect.stringMatching(words) })
  })
})

describe('a server that is none', () => {
  const servers: Server[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise<void>((resolve) => server.close(() => resolve()))
  })

  const listen = async (server: Server): Promise<number> => {
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    return (server.address() as AddressInfo).port
  }

  /** Answers each message with what `answer` makes of it, and closes when that is null. */
  const answering = (answer: (request: Decoded) => Promise<Uint8Array | null> | Uint8Array | null): Promise<number> =>
    listen(
      createServer((socket) => {
        let pending = Buffer.alloc(0)
        socket.on('error', () => undefined)
        socket.on('data', async (chunk: Buffer) => {
          pending = Buffer.concat([pending, chunk])
          while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
            const request = decodeMessage(Uint8Array.from(pending.subarray(2, 2 + pending.readUInt16BE(0))))!
            pending = pending.subarray(2 + pending.readUInt16BE(0))
            const bytes = await answer(request)
            if (bytes === null) socket.end()
            else socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]))
          }
        })
      }),
    )

  const replyTo = ({ message }: Decoded, more: Partial<Message> = {}): Uint8Array => {
    const { id, opcode, questions } = message
    return encodeMessage({ ...empty, id, opcode, questions, rcode: 0, answers: [], ...more })
  }
  const signed = async (request: Decoded, more: Partial<Message> = {}) => {
    const mac = macIn(request) ?? undefined
    return (await sign(replyTo(request, more), signingKey, Math.floor(Date.now() / 1000), mac)).bytes
  }

  const both = async (port: number) => {
    const adapter = adapterAt(port)
    const seen = await adapter.observe(signal())
    return [seen.kind === 'unknown' ? seen.failure : seen, await adapter.apply(move, signal())]
  }

  test('one whose answers are not signed is not believed', async () => {
    const port = await answering((request) => replyTo(request))
    expect(await both(port)).toMatchObject([
      { kind: 'unknown', code: 'Unverified' },
      { kind: 'unknown', code: 'Unverified' },
    ])
  })

  test('one that repeats what it was sent, signature and all, is not believed', async () => {
    const port = await answering(({ message }) => encodeMessage({ ...message, response: true }))
    expect(await both(port)).toMatchObject([
      { kind: 'unknown', code: 'Unverified' },
      { kind: 'unknown', code: 'Unverified' },
    ])
  })

  test('one that says no message is unknown', async () => {
    const port = await answering(({ message: { id } }) => Uint8Array.of(id >> 8, id & 255, 0x84))
    expect(await both(port)).toMatchObject([
      { kind: 'unknown', code: 'StrangeAnswer' },
      { kind: 'unknown', code: 'StrangeAnswer' },
    ])
  })

  test('one that closes without an answer is unknown', async () => {
    const port = await answering(() => null)
    expect(await both(port)).toMatchObject([{ kind: 'unknown' }, { kind: 'unknown' }])
  })

  test('one that speaks HTTP is unknown', async () => {
    const port = await listen(createHttpServer((_, response) => response.end('hello')))
    expect(await both(port)).toMatchObject([{ kind: 'unknown' }, { kind: 'unknown' }])
  })

  test('one that answers for others is not the primary', async () => {
    const port = await answering((request) => signed(request, { authoritative: false }))
    expect(await both(port)).toMatchObject([
      { kind: 'permanent', code: 'NotAuthoritative' },
      { kind: 'permanent', code: 'NoZone' },
    ])
  })
})

describe('a configuration', () => {
  const good = { server: 'ns1.example.com', name: 'vip.example.com', key: { name: 'k', secret: { env: 'KEY' } } }
  const problemOf = (change: object) => rfc2136Schema.config.safeParse({ ...good, ...change }).error?.issues[0]?.message

  test.each(['ns1.example.com:5353', '192.0.2.53', '192.0.2.53:53', '[2001:db8::53]', '[2001:db8::53]:65535'])(
    'may name the server %s',
    (server) => {
      expect(problemOf({ server })).toBeUndefined()
    },
  )

  test.each([
    ['ns1.example.com:65536', 'a port is at most 65535'],
    ['[2001:db8::53]:99999', 'a port is at most 65535'],
    ['2001:db8::53', 'a server is like'],
    ['ns1 example', 'a server is like'],
    ['', 'a server is like'],
  ])('may not name the server "%s"', (server, words) => {
    expect(problemOf({ server })).toContain(words)
  })

  test('says what a key may be, and grants it no more than its name', () => {
    expect(problemOf({ key: { name: 'k', secret: 'c2VjcmV0' } })).toContain('a secret is not written here')
    expect(problemOf({ key: { ...good.key, algorithm: 'hmac-md5' } })).toBeDefined()
    const config = rfc2136Schema.config.parse(good)
    const grants = JSON.stringify(rfc2136Schema.permissions({ ...names, config, targets: {} } as never))
    expect(grants).toContain('grant k name vip.example.com. A AAAA; grant k name _holdfast.vip.example.com. TXT;')
    expect(grants).toContain('update-owner-name: [vip.example.com., _holdfast.vip.example.com.]')
  })

  test('a secret that is no base64 is permanent, and not quoted', async () => {
    const adapter = adapterAt(1, { key: { name: 'odd', secret: 'not base64 at all!' } })
    const outcome = await adapter.apply(move, signal())
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
    expect(JSON.stringify(outcome)).not.toContain('at all')
  })
})
