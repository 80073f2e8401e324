/** A process that listens with room for one connection, and tells its parent where. */
import { type AddressInfo, createServer } from 'node:net'

const server = createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
  process.send?.((server.address() as AddressInfo).port)
})
