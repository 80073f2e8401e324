/**
 * The map as a Durable Object keeps it: a row for each service, which only a route of the same or a higher epoch
 * replaces. It is the edge's memory beyond any isolate, and a target that an adapter can write and read back.
 */
import { DurableObject } from 'cloudflare:workers'
import type { EdgeRoute } from './contract.ts'

export type Put = { readonly taken: boolean; readonly epoch: number }
export type Rows = { readonly routes: readonly EdgeRoute[]; readonly epochs: Readonly<Record<string, number>> }

export class EdgeMap extends DurableObject<unknown> {
  readonly sql: SqlStorage

  constructor(context: DurableObjectState, env: unknown) {
    super(context, env)
    this.sql = context.storage.sql
    this.sql.exec(
      'CREATE TABLE IF NOT EXISTS routes (service TEXT PRIMARY KEY, epoch INTEGER NOT NULL, record TEXT) STRICT',
    )
  }

  /** Takes the route unless a higher epoch of its service is known; `epoch` is the highest one after that. */
  put(route: EdgeRoute): Put {
    const taken = this.#write(route.service, route.epoch, JSON.stringify(route))
    return { taken, epoch: this.#epochOf(route.service) ?? route.epoch }
  }

  get(service: string): EdgeRoute | null {
    const [row] = this.sql.exec('SELECT record FROM routes WHERE service = ?', service).toArray()
    return row?.record == null ? null : (JSON.parse(String(row.record)) as EdgeRoute)
  }

  /** Takes what control has said: these routes, and that these services have none any more; their epochs stay. */
  learn(changed: readonly EdgeRoute[], gone: readonly string[]): void {
    this.ctx.storage.transactionSync(() => {
      for (const route of changed) this.#write(route.service, route.epoch, JSON.stringify(route))
      for (const service of gone) this.sql.exec('UPDATE routes SET record = NULL WHERE service = ?', service)
    })
  }

  all(): Rows {
    const rows = this.sql.exec('SELECT service, epoch, record FROM routes').toArray()
    return {
      routes: rows.flatMap(({ record }) => (record === null ? [] : [JSON.parse(String(record)) as EdgeRoute])),
      epochs: Object.fromEntries(rows.map(({ service, epoch }) => [String(service), Number(epoch)])),
    }
  }

  #write(service: string, epoch: number, record: string): boolean {
    const written = this.sql.exec(
      `INSERT INTO routes (service, epoch, record) VALUES (?, ?, ?)
       ON CONFLICT (service) DO UPDATE SET epoch = excluded.epoch, record = excluded.record
       WHERE excluded.epoch >= routes.epoch RETURNING epoch`,
      service,
      epoch,
      record,
    )
    return written.toArray().length > 0
  }

  #epochOf(service: string): number | undefined {
    const [row] = this.sql.exec('SELECT epoch FROM routes WHERE service = ?', service).toArray()
    return row === undefined ? undefined : Number(row.epoch)
  }
}
