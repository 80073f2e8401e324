/** A probe over HTTP: what matters is the status of the answer. */
import { type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { type Probe, reasonOf } from './check.ts'

export function probeHttp({ url, status }: Probe & { kind: 'http' }, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const request: ClientRequest = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
      signal,
      // A connection of its own each time: one that was kept open may answer when no new one would be accepted.
      agent: false,
      headers: { 'user-agent': 'holdfast' },
    })
    request.on('response', ({ statusCode = 0 }) => {
      request.destroy()
      resolve(statusCode >= status.from && statusCode <= status.to ? null : `HTTP ${statusCode}`)
    })
    request.on('error', (error) => resolve(reasonOf(error)))
    request.end()
  })
}
