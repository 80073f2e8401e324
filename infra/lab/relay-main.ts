/** The inner half of a relay: `node relay-main.ts SOCKET HOST PORT` (see relay.ts). */
import { connect, createServer } from 'node:net'
import { connectBoth } from './relay.ts'

const [path, host, port] = process.argv.slice(2)

const server = createServer((outside) => connectBoth(outside, connect(Number(port), host)))
server.listen(path, () => process.stdout.write('listening\n'))
process.once('SIGTERM', () => process.exit(0))
