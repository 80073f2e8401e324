/**
 * The service of the demo: an HTTP server that answers every request with the name of the node it runs on.
 *
 * Run as a process: `node web-service.ts NODE PORT`. It says `listening` when it does and ends on SIGTERM.
 */
import { createServer } from 'node:http'
import type { Program } from './program.ts'
import type { Lab } from './topology.ts'

/** Starts it in a node's namespace, on all its addresses; resolves when it listens. */
export async function startWebService(lab: Lab, node: string, port = 80): Promise<Program> {
  const listening = Promise.withResolvers<void>()
  const complaints: string[] = []
  const program = await lab.spawn(process.execPath, [import.meta.filename, node, String(port)], {
    in: node,
    onLine: (line) => (line === 'listening' ? listening.resolve() : complaints.push(line)),
  })
  void program.exited.then(() => {
    listening.reject(new Error(`the web service on ${node} ended: ${complaints.join(' ')}`))
  })
  await listening.promise
  return program
}

function main(node: string, port: number): void {
  const server = createServer((_request, response) => {
    response.setHeader('connection', 'close')
    response.end(`${node}\n`)
  })
  server.listen(port, '0.0.0.0', () => process.stdout.write('listening\n'))
  process.once('SIGTERM', () => server.close())
}

if (import.meta.main) main(process.argv[2]!, Number(process.argv[3]))
