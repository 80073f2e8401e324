/**
 * One look at a place that should answer, from Node: a page over HTTP, a port over TCP.
 *
 * Always over a connection of its own, since one that was kept open would go on answering from where the address has
 * been. The body of an answer is not read, and a redirect is not followed: that the server answers is what is asked.
 */
import { type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, type Socket } from 'node:net'
import type { Probe } from '../core/ports.ts'
import { messageOf } from '../message-of.ts'

export const probe: Probe = async (target, signal) => {
  try {
    signal.throwIfAborted()
    return await (target.kind === 'http' ? probeHttp(target.url, signal) : probeTcp(target.address, signal))
  } catch (error) {
    if (signal.aborted) return 'it did not answer in time'
    return messageOf(error)
  }
}

function probeHttp(url: string, signal: AbortSignal): Promise<string | null> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp
  const asked = request(url, { agent: false, signal, headers: { 'user-agent': 'holdfast' } })
  return answerOf(asked, (resolve) => {
    asked.once('response', ({ statusCode = 0 }) => {
      resolve(statusCode >= 200 && statusCode < 400 ? null : `it answered ${statusCode}`)
    })
    asked.end()
  })
}

function probeTcp(address: string, signal: AbortSignal): Promise<string | null> {
  const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(address) ?? []
  const socket = connect({ host, port: Number(port), signal })
  return answerOf(socket, (resolve) => socket.once('connect', () => resolve(null)))
}

/** Whatever comes first is the answer; what comes after it, as an error of what is being destroyed, is not. */
async function answerOf(
  asked: ClientRequest | Socket,
  listen: (resolve: (why: string | null) => void) => void,
): Promise<string | null> {
  try {
    return await new Promise<string | null>((resolve, reject) => {
      asked.on('error', reject)
      listen(resolve)
    })
  } finally {
    asked.destroy()
  }
}
