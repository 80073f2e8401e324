/** A control's events as a test scripts them: each stream that is asked for is answered by the next script. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** `from` is the id after which events were asked for. */
export type Script = (response: ServerResponse, from: number) => void

export type EventServer = {
  readonly url: string
  /** After which ids events were asked for. */
  readonly asked: readonly string[]
}

/** Lives until the test is finished. A page, which is no stream, says that event 0 was the last one. */
export async function serveEvents(...scripts: Script[]): Promise<EventServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    if (request.headers.accept !== 'text/event-stream') return void response.end('{"events":[],"next":0,"first":1}')
    const from = request.headers['last-event-id'] as string
    asked.push(from)
    scripts.shift()?.(response, Number(from))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

export const eventText = (id: number): string => `id: ${id}\nevent: some-kind\ndata: ${JSON.stringify({ id })}\n\n`

export const openStream = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream' })
