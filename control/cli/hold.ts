/** `holdfast hold`, `release` and `acknowledge SERVICE`: what an operator says to a service that is to stay, or may go on. */
import type { ServiceView } from '../core/view.ts'
import { type Access, callControl } from './client.ts'

type Options = Access & { readonly reason?: string; readonly json?: boolean }

export async function runHoldCommand(service: string, options: Options): Promise<void> {
  const view = await ask('PUT', `${pathOf(service)}/hold`, options)
  const at = view.owner === null ? 'without an owner' : `at ${view.owner.node}`
  print(options, view, `${service} is held ${at}, whatever fails, until: holdfast release ${service}`)
}

export async function runReleaseCommand(service: string, options: Options): Promise<void> {
  const query = options.reason === undefined ? '' : `?reason=${encodeURIComponent(options.reason)}`
  const view = (await callControl(options, 'DELETE', `${pathOf(service)}/hold${query}`, { has })) as ServiceView
  print(options, view, `${service} moves by itself again`)
}

export async function runAcknowledgeCommand(service: string, options: Options): Promise<void> {
  const view = await ask('POST', `${pathOf(service)}/acknowledge`, options)
  const epoch = view.owner === null ? '' : `, at epoch ${view.owner.epoch}`
  print(options, view, `control goes on with ${service}${epoch}`)
}

/** What every service has that is read here. */
const has = ['service', 'owner'] as const

const pathOf = (service: string): string => `/v1/services/${encodeURIComponent(service)}`

async function ask(method: string, path: string, options: Options): Promise<ServiceView> {
  const body = options.reason === undefined ? {} : { reason: options.reason }
  return (await callControl(options, method, path, { has, body })) as ServiceView
}

function print({ json = false }: Options, view: ServiceView, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(view) : text}\n`)
}
