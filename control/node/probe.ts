/**
 * One look at a place that should answer, from Node: a page over HTTP, a port over TCP.
 *
 * Always over a connection of its own, since one that was kept open would go on answering from where the address has
 * been.
 */
import { type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, type Socket } from 'node:net'
import { createProbe, userAgent } from '../core/probe-verdict.ts'

export const probe = createProbe({ http: statusOf, tcp: connectTo })

function statusOf(url: string, signal: AbortSignal): Promise<number> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp
  const asked = request(url, { agent: false, signal, headers: { 'user-agent': userAgent } })
  return answerOf(asked, (resolve) => {
    asked.once('response', ({ statusCode = 0 }) => resolve(statusCode))
    asked.end()
  })
}

function connectTo(address: string, signal: AbortSignal): Promise<void> {
  const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(address) ?? []
  const socket = connect({ host, port: Number(port), signal })
  return answerOf(socket, (resolve) => socket.once('connect', () => resolve()))
}

/** Whatever comes first is the answer; what comes after it, as an error of what is being destroyed, is not. */
async function answerOf<T>(asked: ClientRequest | Socket, listen: (resolve: (answer: T) => void) => void): Promise<T> {
  try {
    return await new Promise<T>((resolve, reject) => {
      asked.on('error', reject)
      listen(resolve)
    })
  } finally {
    asked.destroy()
  }
}
