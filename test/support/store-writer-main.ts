/**
 * A process that does nothing but write: the store of control on its database, at full speed, each write told on standard
 * output when, and only when, it was answered. It is made to be killed.
 */
import { writeSync } from 'node:fs'
import { openDatabase } from '../../control/node/node-sqlite.ts'
import { refuseNewer } from '../../control/store/migrations.ts'
import { createSqlStore } from '../../control/store/sql-store.ts'
import type { Change, TokenRecord } from '../../control/store/store.ts'

/** What was answered, one JSON object a line. */
export type Acknowledged =
  | { readonly kind: 'owner'; readonly service: string; readonly epoch: number; readonly event: number }
  | { readonly kind: 'events'; readonly run: string; readonly ids: readonly number[] }
  | { readonly kind: 'token'; readonly id: string }

export const operationOf = (service: string, epoch: number): string => `op-${service}-${epoch}`
export const textOf = (service: string, epoch: number): string => `${service} at epoch ${epoch}`

const at = '2026-11-22T09:00:00.000Z'
const event = (service: string, epoch: number | null, text: string) => {
  return { at, kind: 'owner-changed', service, node: `n${epoch}`, epoch, text, detail: {} }
}

/** Everything that one move has to leave behind, or nothing of it. */
function moveTo(service: string, epoch: number): Change {
  const node = `n${epoch}`
  const id = operationOf(service, epoch)
  return {
    owner: { service, owner: { node, site: 'dc1', epoch, since: at } },
    bindings: [
      { service, binding: 'eip', node, epoch, state: 'pending', observed: null, attempts: 0, lastError: null },
    ],
    operations: [
      {
        ...{ id, kind: 'failover', service, from: null, to: node, epoch, priority: null, reason: null, by: null },
        ...{ status: 'running', steps: [], failure: null, report: null },
      },
    ],
    events: [event(service, epoch, textOf(service, epoch))],
  }
}

async function main(file: string, run: string): Promise<void> {
  const store = createSqlStore(openDatabase(file, refuseNewer))
  const { epochs } = store.load()
  const tell = (what: Acknowledged): void => void writeSync(1, `${JSON.stringify(what)}\n`)
  const forever = async (work: (round: number) => Promise<void>): Promise<never> => {
    for (let round = 0; ; round++) await work(round)
  }
  const owners = ['web', 'mail', 'dns'].map((service) =>
    forever(async (round) => {
      const epoch = (epochs[service] ?? 0) + round + 1
      const [written] = await store.write(moveTo(service, epoch))
      tell({ kind: 'owner', service, epoch, event: written!.id })
    }),
  )
  const notes = forever(async () => {
    const written = await store.write({ events: [event(run, null, run), event(run, null, run)] })
    tell({ kind: 'events', run, ids: written.map(({ id }) => id) })
  })
  const tokens = forever(async (round) => {
    const id = `${run}-${round}`
    const token: TokenRecord = {
      ...{ id, name: id, role: 'viewer', node: null, hash: id },
      ...{ origin: 'api', createdAt: at, expiresAt: null },
    }
    await store.addToken(token)
    tell({ kind: 'token', id })
  })
  await Promise.all([...owners, notes, tokens])
}

if (import.meta.main) await main(process.argv[2]!, process.argv[3]!)
