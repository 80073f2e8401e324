/**
 * A control that decides nothing: the process behind lab-control.ts. It answers pings, writes what agents report as
 * JSON lines, and passes on the commands that come as JSON lines.
 */
import { createInterface } from 'node:readline'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Report } from '../../control/contract.ts'
import type { ControlLine, ControlOrder } from './lab-control.ts'

const sockets = new Map<string, WebSocket>()
const tell = (line: ControlLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const [host, port] = process.argv.slice(2)
const server = new WebSocketServer({ host: host!, port: Number(port) }, () => tell({ kind: 'listening' }))
server.on('connection', (socket) => {
  let node = ''
  socket.on('error', () => {})
  socket.on('message', (data) => {
    const text = String(data)
    if (text === 'ping') {
      socket.send('pong')
      tell({ kind: 'ping', node })
      return
    }
    const report = JSON.parse(text) as Report
    node = report.node
    sockets.set(node, socket)
    tell({ kind: 'report', node, report })
  })
})
createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line) as ControlOrder
  if (order === 'drop') for (const socket of sockets.values()) socket.terminate()
  else sockets.get(order.node)?.send(JSON.stringify({ commands: order.commands }))
})
