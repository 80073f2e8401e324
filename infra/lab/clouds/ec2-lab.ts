/**
 * The strict EC2's own switches over HTTP, for whoever runs it as a process:
 *
 *   GET /_lab/state                       addresses and interfaces
 *   GET /_lab/requests                    the newest calls and what became of them
 *   GET, PUT /_lab/faults                 the faults in force; a JSON list replaces them
 *   PUT /_lab/addresses/{allocationId}    {networkInterfaceId, privateIpAddress}, or null: moved by somebody else
 */
import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import type { Ec2 } from './ec2.ts'
import { faultSchema } from './ec2-faults.ts'

const placeSchema = z.strictObject({ networkInterfaceId: z.string(), privateIpAddress: z.string() }).nullable()

export function serveLab(
  request: { readonly method: string; readonly target: string; readonly body: string },
  response: ServerResponse,
  ec2: Ec2,
): void {
  try {
    const answer = route(request, ec2)
    if (answer === undefined) send(response, 404, { error: `no ${request.method} ${request.target} here` })
    else send(response, 200, answer)
  } catch (error) {
    const mistake = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    send(response, 400, { error: mistake })
  }
}

function route({ method, target, body }: { method: string; target: string; body: string }, ec2: Ec2): unknown {
  const allocationId = /^\/_lab\/addresses\/([^/]+)$/.exec(target)?.[1]
  if (method === 'PUT' && allocationId !== undefined) {
    ec2.setOutOfBand(allocationId, placeSchema.parse(JSON.parse(body)))
    return ec2.state()
  }
  if (method === 'PUT' && target === '/_lab/faults') ec2.faults.replace(z.array(faultSchema).parse(JSON.parse(body)))
  if (target === '/_lab/faults') return ec2.faults.list()
  if (method === 'GET' && target === '/_lab/state') return ec2.state()
  if (method === 'GET' && target === '/_lab/requests') return ec2.requests
  return undefined
}

function send(response: ServerResponse, status: number, answer: unknown): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify(answer)}\n`)
}
