/**
 * A strict cloud's own switches over HTTP, for whoever runs it as a process:
 *
 *   GET /_lab/state          what the world is
 *   GET /_lab/requests       the newest calls and what became of them
 *   GET, PUT /_lab/faults    the faults in force; a JSON list replaces them
 *
 * and whatever else the cloud has.
 */
import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { faultSchema } from './faults.ts'
import type { Asked, StrictCloud } from './strict-cloud.ts'

export type Lab<State> = {
  readonly cloud: StrictCloud<State>
  readonly route: ((asked: Asked) => unknown) | undefined
}

export function serveLab<State>(asked: Asked, response: ServerResponse, { cloud, route }: Lab<State>): void {
  try {
    const answer = answerOf(asked, cloud) ?? route?.(asked)
    if (answer === undefined) send(response, 404, { error: `no ${asked.method} ${asked.target} here` })
    else send(response, 200, answer)
  } catch (error) {
    const mistake = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    send(response, 400, { error: mistake })
  }
}

function answerOf<State>({ method, target, body }: Asked, cloud: StrictCloud<State>): unknown {
  if (method === 'PUT' && target === '/_lab/faults') cloud.faults.replace(z.array(faultSchema).parse(JSON.parse(body)))
  if (target === '/_lab/faults') return cloud.faults.list()
  if (method === 'GET' && target === '/_lab/state') return cloud.state()
  if (method === 'GET' && target === '/_lab/requests') return cloud.requests
  return undefined
}

function send(response: ServerResponse, status: number, answer: unknown): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify(answer)}\n`)
}
