/** What keeps a link alive: control answers the pings of a node, whatever else it is told on it. */
import { once } from 'node:events'
import { afterAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createFolder, nodeToken, startControl, writeControlConfig } from '../../support/control-process.ts'

const folder = createFolder()
afterAll(() => folder.remove())

test('each ping is answered by a pong, in order, and is no report', async () => {
  const file = writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: ['n1'],
    services: { web: { bindings: [] } },
  })
  const control = await startControl(file)
  const headers = { authorization: `Bearer ${nodeToken('n1')}` }
  const socket = new WebSocket(`${control.url.replace('http', 'ws')}/v1/agent`, { headers })
  await once(socket, 'open')
  const heard: string[] = []
  socket.on('message', (data) => heard.push(String(data)))
  for (let i = 0; i < 3; i += 1) {
    socket.send('ping')
    await once(socket, 'message')
  }
  expect(heard).toEqual(['pong', 'pong', 'pong'])
  expect(control.output()).not.toContain('bad-report')
  // What is neither is still refused.
  socket.send('pong')
  const [code] = await once(socket, 'close')
  expect(code).toBe(1008)
  control.signal('SIGTERM')
  await control.ended
})
