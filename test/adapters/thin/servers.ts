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

/** A gateway before `url`, which adds `more` to the headers of what is answered to writes, and is what URLs in them name. */
export function through(url: string, more: Readonly<Record<string, string>>): Promise<string> {
  return serve(async (request, response) => {
    const { method = 'GET', headers } = request
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
