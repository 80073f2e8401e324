/** `holdfast events`: the audit trail, oldest first. */
import type { EventRecord } from '../store/store.ts'
import { type Access, callControl } from './client.ts'

type Options = Access & { readonly since?: string; readonly json?: boolean }

export async function runEventsCommand(options: Options): Promise<void> {
  let since = options.since ?? '0'
  for (;;) {
    const { events } = (await callControl(options, 'GET', `/v1/events?since=${encodeURIComponent(since)}`)) as {
      events: EventRecord[]
    }
    for (const event of events) process.stdout.write(`${options.json ? JSON.stringify(event) : describe(event)}\n`)
    const last = events.at(-1)
    if (last === undefined) return
    since = String(last.id)
  }
}

function describe({ id, at, service, text }: EventRecord): string {
  return `${id}  ${at}  ${service === null ? '' : `${service}: `}${text}`
}
