/**
 * The map as a Durable Object keeps it: a row for each service, which only a route of the same or a higher epoch
 * replaces. It is the edge's memory beyond any isolate, and a target that an adapter can write and read back.
 *
 * Each change of a row gives it a higher `revision`, by which a writer says what it has seen. The object runs one call
 * at a time, and none of these waits for anything: comparing and writing are one step.
 */
import { DurableObject } from 'cloudflare:workers'
import type { EdgeRoute } from './contract.ts'

/** What is kept of a service. One that lost its route keeps its epoch. */
export type Held = { readonly epoch: number; readonly revision: number; readonly route: EdgeRoute | null }

/** `epoch` and `revision` are those after it, whether it was taken or not. */
export type Put = { readonly taken: boolean; readonly epoch: number; readonly revision: number }

export type Rows = Readonly<Record<string, Held>>

export class EdgeMap extends DurableObject<unknown> {
  readonly sql: SqlStorage

  constructor(context: DurableObjectState, env: unknown) {
    super(context, env)
    this.sql = context.storage.sql
    this.sql.exec(
      'CREATE TABLE IF NOT EXISTS routes (service TEXT PRIMARY KEY, epoch INTEGER NOT NULL, record TEXT) STRICT',
    )
    // Objects from before there were revisions have a table without them.
    const columns = this.sql.exec("SELECT name FROM pragma_table_info('routes')").toArray()
    if (columns.some(({ name }) => name === 'revision')) return
    this.sql.exec('ALTER TABLE routes ADD COLUMN revision INTEGER NOT NULL DEFAULT 0')
  }

  /** Takes the route unless a higher epoch of its service is known, or its row has another revision than is given. */
  put(route: EdgeRoute, revision?: number): Put {
    const held = this.held(route.service)
    const taken = route.epoch >= held.epoch && (revision === undefined || revision === held.revision)
    if (taken) this.#write(route)
    const { epoch, revision: present } = taken ? this.held(route.service) : held
    return { taken, epoch, revision: present }
  }

  get(service: string): EdgeRoute | null {
    return this.held(service).route
  }

  held(service: string): Held {
    const [row] = this.sql.exec('SELECT epoch, revision, record FROM routes WHERE service = ?', service).toArray()
    return row === undefined ? { epoch: 0, revision: 0, route: null } : heldOf(row)
  }

  /** Takes what control has said: these routes, and that these services have none any more; their epochs stay. */
  learn(changed: readonly EdgeRoute[], gone: readonly string[]): void {
    this.ctx.storage.transactionSync(() => {
      for (const route of changed) this.#write(route)
      const forget = 'UPDATE routes SET record = NULL, revision = revision + 1 WHERE service = ? AND record IS NOT NULL'
      for (const service of gone) this.sql.exec(forget, service)
    })
  }

  all(): Rows {
    const rows = this.sql.exec('SELECT service, epoch, revision, record FROM routes').toArray()
    return Object.fromEntries(rows.map((row) => [String(row.service), heldOf(row)]))
  }

  #write(route: EdgeRoute): void {
    this.sql.exec(
      `INSERT INTO routes (service, epoch, record, revision) VALUES (?, ?, ?, 1)
       ON CONFLICT (service) DO UPDATE
       SET epoch = excluded.epoch, record = excluded.record, revision = routes.revision + 1
       WHERE excluded.epoch >= routes.epoch`,
      route.service,
      route.epoch,
      JSON.stringify(route),
    )
  }
}

function heldOf({ epoch, revision, record }: Record<string, SqlStorageValue>): Held {
  const route = record === null ? null : (JSON.parse(String(record)) as EdgeRoute)
  return { epoch: Number(epoch), revision: Number(revision), route }
}
