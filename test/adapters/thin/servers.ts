/** Small servers of which a test says how they answer. */
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** Its URL. It ends with the test. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer({ keepAliveTimeout: 0 }, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Where a server was a moment ago. */
export async function closed(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

/** A gateway to `url` by which an answer to a write has `more` headers. What names `url` in one names the gateway. */
export function through(url: string, more: Readonly<Record<string, string>>): Promise<string> {
  return gateway(url, { more, before: async () => {} })
}

/** A gateway to `url` where something happens just before a request of `method` arrives. */
export function before(url: string, method: string, happens: () => Promise<void>): Promise<string> {
  return gateway(url, { more: {}, before: (asked) => (asked === method ? happens() : Promise.resolve()) })
}

type Gateway = { readonly more: Readonly<Record<string, string>>; before(method: string): Promise<void> }

function gateway(url: string, { more, before }: Gateway): Promise<string> {
  return serve(async (request, response) => {
    const { method = 'GET', headers } = request
    await before(method)
    const own = `http://${headers.host}`
    const body = await bodyOf(request)
    const init = method === 'GET' ? { method } : { method, body }
    const answer = await fetch(`${url}${request.url}`, { ...init, headers: passedOn(headers) })
    const theirs = Object.fromEntries([...answer.headers].map(([name, value]) => [name, value.replace(url, own)]))
    const { 'content-length': _, 'transfer-encoding': __, ...kept } = theirs
    response.writeHead(answer.status, { ...kept, ...(method === 'GET' ? {} : more) }).end(await answer.text())
  })
}

function passedOn({ authorization = '', 'content-type': type }: IncomingHttpHeaders): Record<string, string> {
  return { authorization, ...(type === undefined ? {} : { 'content-type': type }) }
}

export async function bodyOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
