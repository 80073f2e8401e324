/**
 * What bindings have to say on their way to the store. Nothing outside waits for it, so that a store that is slow or
 * full holds up no repair; it is written in order, and again until it is.
 */

import { type Binding, placeOf } from '../binding.ts'
import type { AuditEvent, Moment, Operation } from '../decision.ts'
import { messageOf } from '../message-of.ts'
import { type BindingRecord, type EventRecord, StorageError } from '../store/store.ts'
import type { Said } from './binding-driver.ts'
import type { ClusterPorts } from './ports.ts'

export type Backlog = {
  add(changed: {
    readonly name: string
    readonly before: Binding
    readonly binding: Binding
    readonly said: readonly Said[]
  }): void
  /** Something to be said that is no binding's progress. */
  note(event: AuditEvent): void
  deadline(): number | null
  tick(at: Moment): void
  /** Resolves when the write under way has ended. */
  stop(): Promise<void>
}

export type BacklogInput = {
  readonly service: string
  readonly ports: Pick<ClusterPorts, 'store' | 'log' | 'clock'>
  published(change: { events: readonly EventRecord[]; operations: readonly Operation[] }): void
  moment(): Moment
  rearm(): void
}

/** After a write that failed, how long until the next, in milliseconds. */
const retryMs = 1_000

export function createBacklog({ service, ports, published, moment, rearm }: BacklogInput): Backlog {
  const records = new Map<string, BindingRecord>()
  let events: AuditEvent[] = []
  let writing: Promise<void> | null = null
  let retryAt: number | null = null

  const flush = async (): Promise<void> => {
    const change = { bindings: [...records.values()], events }
    records.clear()
    events = []
    retryAt = null
    try {
      published({ events: await ports.store.write(change), operations: [] })
    } catch (error) {
      if (!(error instanceof StorageError)) {
        ports.log('error', { event: 'store-failed', service, message: messageOf(error) })
      }
      for (const record of change.bindings) if (!records.has(record.binding)) records.set(record.binding, record)
      events = [...change.events, ...events].slice(-1_000)
      retryAt = ports.clock.now() + retryMs
      rearm()
    }
  }

  const start = (): void => {
    if (writing !== null || records.size + events.length === 0) return
    writing = flush().finally(() => {
      writing = null
      if (retryAt === null) start()
    })
  }

  return {
    add: ({ name, before, binding, said }) => {
      if (said.length === 0 && sameRecord(before, binding)) return
      records.set(name, recordOf(service, name, binding))
      const { node, epoch } = binding.wanted ?? { node: null, epoch: null }
      const at = moment().wall
      for (const { name: kind, text, detail } of said) {
        events.push({ at, kind, service, node, epoch, text: `${name} ${text}`, detail: { binding: name, ...detail } })
      }
      if (retryAt === null) start()
    },
    note: (event) => {
      events.push(event)
      if (retryAt === null) start()
    },
    deadline: () => retryAt,
    tick: (at) => {
      if (retryAt !== null && at.ms >= retryAt) start()
    },
    stop: async () => {
      await writing
    },
  }
}

function recordOf(service: string, name: string, binding: Binding): BindingRecord {
  const { wanted, state, attempts, lastError } = binding
  const [node, epoch] = [wanted?.node ?? null, wanted?.epoch ?? null]
  return { service, binding: name, node, epoch, state, observed: placeOf(binding), attempts, lastError }
}

function sameRecord(a: Binding, b: Binding): boolean {
  return a.state === b.state && placeOf(a) === placeOf(b) && a.attempts === b.attempts && a.lastError === b.lastError
}
