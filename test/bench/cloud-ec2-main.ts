/**
 * The strict EC2 behind a port that says when each request came: `node test/bench/cloud-ec2-main.ts --listen A:P`.
 *
 * Standard output has one JSON object a line: `{"listening": true}`, then one for each request as soon as all of it has
 * passed. `at` is when its first byte was here, in milliseconds of the lab's clock; `connection` counts connections from 1,
 * `openedAt` is when that one was accepted.
 */
import { connect, createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { nowMs } from '../../infra/lab/clock.ts'
import { createEc2 } from '../../infra/lab/clouds/ec2.ts'

export type Ec2Line =
  | { readonly listening: true }
  | { readonly action: string; readonly at: number; readonly connection: number; readonly openedAt: number }
  | { readonly at: number; readonly movedTo: string }

const say = (line: Ec2Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const { values } = parseArgs({ options: { listen: { type: 'string' }, world: { type: 'string' } } })
const [host, port] = values.listen!.split(':')
const ec2 = await createEc2({
  ...(JSON.parse(values.world!) as Pick<Parameters<typeof createEc2>[0], 'addresses' | 'interfaces'>),
  onChange: ({ event, networkInterfaceId }) => {
    if (event === 'associated') say({ at: nowMs(), movedTo: networkInterfaceId })
  },
})
const behind = new URL(ec2.url)
let connections = 0

const server = createServer({ noDelay: true }, (client) => {
  const openedAt = nowMs()
  connections += 1
  watch(client, { connection: connections, openedAt })
})
server.listen(Number(port), host, () => say({ listening: true }))
process.once('SIGTERM', () => process.exit(0))

/** Passes everything on at once; a request begins with the first byte after an answer. */
function watch(client: Socket, known: { readonly connection: number; readonly openedAt: number }): void {
  const cloud = connect({ host: behind.hostname, port: Number(behind.port), noDelay: true })
  let request = { text: '', at: 0, said: false }
  client.on('data', (bytes) => {
    const at = nowMs()
    cloud.write(bytes)
    if (request.text === '') request.at = at
    request.text += bytes.toString('latin1')
    const action = /[?&\n]Action=(\w+)/.exec(request.text)?.[1]
    // A trial of what a move would need is none.
    if (action === undefined || request.said || /[?&\n]DryRun=true/.test(request.text)) return
    request.said = true
    say({ action, at: request.at, ...known })
  })
  cloud.on('data', (bytes) => {
    request = { text: '', at: 0, said: false }
    client.write(bytes)
  })
  const end = (): void => {
    client.destroy()
    cloud.destroy()
  }
  for (const socket of [client, cloud]) socket.once('close', end).once('error', end)
}
