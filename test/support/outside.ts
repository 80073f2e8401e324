/** Places to look at, on loopback: a web server that answers as its path says, and ports that behave badly. */
import { once } from 'node:events'
import { createServer as createHttp, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Server as TcpServer } from 'node:net'

/** Plain data, so that it can be handed to tests of another runtime. */
export type Outside = {
  /** `/status/503` answers 503, and a redirect leads to a page that is ill; `/endless` has a body that never ends. */
  readonly pages: string
  /** Takes connections and says nothing; takes them and hangs up at once; nobody listens any more. */
  readonly silent: number
  readonly hangsUp: number
  readonly closed: number
  /** On `::1`; takes connections. */
  readonly v6: number
}

export async function startOutside(): Promise<{ outside: Outside; close(): void }> {
  const servers: (Server | TcpServer)[] = []
  const listen = async (server: Server | TcpServer, host = '127.0.0.1'): Promise<number> => {
    servers.push(server)
    server.listen(0, host)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const pages = createHttp((request, response) => {
    const [, kind, status] = request.url!.split('/')
    if (kind === 'endless') response.writeHead(200).write('and so on')
    else response.writeHead(Number(status), { location: '/status/500' }).end()
  })
  const silent = await listen(createTcp((socket) => void socket.on('error', () => undefined)))
  const hangsUp = await listen(createTcp((socket) => void socket.destroy()))
  const gone = createTcp()
  const closed = await listen(gone)
  await new Promise((resolve) => gone.close(resolve))
  const outside: Outside = {
    pages: `http://127.0.0.1:${await listen(pages)}`,
    silent,
    hangsUp,
    closed,
    v6: await listen(createTcp(), '::1'),
  }
  const close = (): void => {
    for (const server of servers) {
      if ('closeAllConnections' in server) server.closeAllConnections()
      server.close()
    }
  }
  return { outside, close }
}
