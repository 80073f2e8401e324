/** The API on a real server: links and streams that end with their token, and what is there after a restart. */
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../../support/eventually.ts'
import { declaration, link, report, start } from './controls.ts'

describe('a node speaks only for itself, and only for services that name it', () => {
  test('over POST', async () => {
    const control = await start('scope-post')
    const post = (node: string, said: string) =>
      control.call('POST', `/v1/nodes/${node}/report`, report(said, 'active'), 'node-token-of-n3')
    expect(await post('n3', 'n3')).toMatchObject({
      status: 200,
      body: { refused: [{ service: 'web', why: expect.stringMatching(/does not name n3 for web/) }] },
    })
    expect((await post('n1', 'n1')).status).toBe(403)
    expect((await post('n3', 'n1')).status).toBe(400)
    expect((await control.call('GET', '/v1/services/web')).body).toMatchObject({ owner: null, members: [] })
  })

  test('over its link', async () => {
    const control = await start('scope-link')
    const { socket, refused, closed } = await link(control.url, 'node-token-of-n3')
    socket.send(JSON.stringify(report('n3', 'active')))
    await eventually(
      () => refused,
      (all) => expect(all).toMatchObject([{ service: 'web' }]),
    )
    expect((await control.call('GET', '/v1/services/web')).body).toMatchObject({ owner: null, members: [] })
    socket.send(JSON.stringify(report('n1', 'active', 2)))
    expect(await closed).toBe(1008)
  })
})

describe('a token that is no longer valid', () => {
  test('takes the node’s link with it when it is revoked, and the node can come back with another', async () => {
    const control = await start('revoke')
    const make = async () => (await control.call('POST', '/v1/tokens', { name: 'n1', role: 'node', node: 'n1' })).body
    const [first, second] = [await make(), await make()]
    const old = await link(control.url, String(first.token))
    old.socket.send(JSON.stringify(report('n1', 'active')))
    await eventually(
      () => control.call('GET', '/v1/services/web'),
      ({ body }) => expect(body).toMatchObject({ members: [{ node: 'n1', connected: true }] }),
    )
    expect((await control.call('DELETE', `/v1/tokens/${String(first.id)}`)).status).toBe(200)
    expect(await old.closed).toBe(1008)
    await expect(link(control.url, String(first.token))).rejects.toThrow('401')
    const fresh = await link(control.url, String(second.token))
    fresh.socket.send(JSON.stringify(report('n1', 'active', 2)))
    await eventually(
      () => control.call('GET', '/v1/services/web'),
      ({ body }) => expect(body).toMatchObject({ owner: { node: 'n1' }, members: [{ node: 'n1', connected: true }] }),
    )
  })

  test('ends a link at its next word when it has expired', async () => {
    const control = await start('expire')
    const { body } = await control.call('POST', '/v1/tokens', { name: 'n1', role: 'node', node: 'n1', expiresIn: '1s' })
    const { socket, closed } = await link(control.url, String(body.token))
    const pinging = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('ping'), 100)
    expect(await closed).toBe(1008)
    clearInterval(pinging)
  })
})

test('what was declared over the API is there after a restart, and the file wins over it', async () => {
  const before = await start('stored')
  await before.call('PUT', '/v1/services/api', declaration)
  await before.call('PUT', '/v1/services/both', declaration)
  await before.close()
  const after = await start('stored', { services: { web: declaration, both: { confirm: '1s' } } })
  expect((await after.call('GET', '/v1/services/api/declaration')).body).toEqual({
    service: 'api',
    version: 1,
    origin: 'api',
    declaration,
  })
  const both = await after.call('GET', '/v1/services/both/declaration')
  expect(both.body).toEqual({ service: 'both', version: 0, origin: 'file', declaration: { confirm: '1s' } })
  expect(after.logged).toContainEqual(expect.objectContaining({ event: 'declaration-skipped', service: 'both' }))
})

test('a stream of events is cut off by a restart and taken up after it, without gap and without repetition', async () => {
  const ids: number[] = []
  const read = async (url: string, until: number): Promise<void> => {
    const headers = {
      authorization: 'Bearer admin-token-of-this-test',
      accept: 'text/event-stream',
      ...(ids.length === 0 ? {} : { 'last-event-id': String(ids.at(-1)) }),
    }
    const response = await fetch(`${url}/v1/events?since=0`, { headers })
    let text = ''
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const id = /^id: (\d+)\nevent: /m.exec(block)?.[1]
        if (id !== undefined) ids.push(Number(id))
      }
      if (ids.length >= until) return
    }
  }
  const first = await start('stream')
  const reading = read(first.url, Number.POSITIVE_INFINITY)
  for (let i = 0; i < 10; i++) await first.call('PUT', '/v1/services/web/hold', { reason: `reason ${i}` })
  // Ends by itself, when control has said everything that it had to say.
  await first.close()
  await reading
  const second = await start('stream')
  await second.call('DELETE', '/v1/services/web/hold')
  await read(second.url, 22)
  expect(ids).toEqual(Array.from({ length: 22 }, (_, i) => i + 1))
})
