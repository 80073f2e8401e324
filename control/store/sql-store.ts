/** The store on any `Sql`. Every change is one transaction; every read returns what the last durable one left. */

import type { Role } from '../config.ts'
import type { Operation } from '../decision.ts'
import type { BindingWord } from '../reconcile.ts'
import { migrate } from './migrations.ts'
import type { Row, Sql } from './sql.ts'
import {
  type BindingRecord,
  type Change,
  type EventRecord,
  type NodeRecord,
  StaleEpochError,
  type Store,
  type TokenRecord,
} from './store.ts'

/** Opens the store, bringing an older database up to date; throws `NewerDatabaseError` and changes nothing on a newer one. */
export function createSqlStore(sql: Sql): Store {
  migrate(sql)
  return {
    load: () => ({ owners: readOwners(sql), nodes: readNodes(sql), running: readRunning(sql) }),
    write: (change) => sql.write(() => apply(sql, change)),
    events: ({ since, limit, service }) =>
      sql
        .all(
          `SELECT * FROM events WHERE id > ? AND (? IS NULL OR service = ?) ORDER BY id LIMIT ?`,
          since,
          service ?? null,
          service ?? null,
          limit,
        )
        .map(eventOf),
    lastEventId: () => Number(sql.all('SELECT max(id) AS id FROM events')[0]?.id ?? 0),
    operation: (id) => sql.all('SELECT record FROM operations WHERE id = ?', id).map(operationOf)[0],
    bindings: (service) => sql.all('SELECT * FROM bindings WHERE service = ? ORDER BY binding', service).map(bindingOf),
    tokens: () => sql.all('SELECT * FROM tokens ORDER BY name').map(tokenOf),
    setTokens: (tokens) => sql.write(() => replaceTokens(sql, tokens)),
  }
}

function apply(sql: Sql, { owner, bindings = [], events = [], operations = [], node }: Change): EventRecord[] {
  if (owner !== undefined) writeOwner(sql, owner)
  for (const binding of bindings) writeBinding(sql, binding)
  for (const operation of operations) {
    sql.all(
      `INSERT INTO operations (id, service, status, record) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET status = excluded.status, record = excluded.record`,
      operation.id,
      operation.service,
      operation.status,
      JSON.stringify(operation),
    )
  }
  if (node !== undefined) writeNode(sql, node)
  return events.map((event) => {
    // Counted inside the transaction, so that a change that is rolled back leaves no gap.
    const [row] = sql.all(
      `INSERT INTO events (id, at, kind, service, node, epoch, text, detail)
       VALUES ((SELECT coalesce(max(id), 0) + 1 FROM events), ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
      event.at,
      event.kind,
      event.service,
      event.node,
      event.epoch,
      event.text,
      JSON.stringify(event.detail),
    )
    return { id: Number(row!.id), ...event }
  })
}

function writeOwner(sql: Sql, { service, owner }: NonNullable<Change['owner']>): void {
  const written = sql.all(
    `INSERT INTO services (service, epoch, node, site, since) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (service) DO UPDATE SET epoch = excluded.epoch, node = excluded.node, site = excluded.site, since = excluded.since
     WHERE excluded.epoch > services.epoch RETURNING epoch`,
    service,
    owner.epoch,
    owner.node,
    owner.site,
    owner.since,
  )
  if (written.length === 0) throw new StaleEpochError(service, owner.epoch)
}

function writeBinding(sql: Sql, binding: BindingRecord): void {
  sql.all(
    `INSERT INTO bindings (service, binding, node, epoch, state, observed, attempts, last_error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (service, binding) DO UPDATE SET node = excluded.node, epoch = excluded.epoch, state = excluded.state,
       observed = excluded.observed, attempts = excluded.attempts, last_error = excluded.last_error
     WHERE coalesce(excluded.epoch, 0) >= coalesce(bindings.epoch, 0)`,
    binding.service,
    binding.binding,
    binding.node,
    binding.epoch,
    binding.state,
    binding.observed,
    binding.attempts,
    binding.lastError,
  )
}

function writeNode(sql: Sql, node: NodeRecord): void {
  sql.all(
    `INSERT OR REPLACE INTO nodes (node, site, incarnation, former, sequence, last_report, services) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    node.node,
    node.site,
    node.incarnation,
    JSON.stringify(node.former),
    node.sequence,
    node.lastReport,
    JSON.stringify(node.services),
  )
}

function replaceTokens(sql: Sql, tokens: readonly TokenRecord[]): void {
  sql.all('DELETE FROM tokens')
  for (const { name, role, node, hash } of tokens) {
    sql.all('INSERT INTO tokens (name, role, node, hash) VALUES (?, ?, ?, ?)', name, role, node, hash)
  }
}

function readOwners(sql: Sql) {
  const rows = sql.all('SELECT * FROM services')
  return Object.fromEntries(
    rows.map((row) => [
      String(row.service),
      { node: String(row.node), site: String(row.site), epoch: Number(row.epoch), since: String(row.since) },
    ]),
  )
}

function readNodes(sql: Sql): NodeRecord[] {
  return sql.all('SELECT * FROM nodes ORDER BY node').map((row) => ({
    node: String(row.node),
    site: String(row.site),
    incarnation: String(row.incarnation),
    former: JSON.parse(String(row.former)) as string[],
    sequence: Number(row.sequence),
    lastReport: String(row.last_report),
    services: JSON.parse(String(row.services)) as NodeRecord['services'],
  }))
}

function readRunning(sql: Sql): Operation[] {
  return sql.all(`SELECT record FROM operations WHERE status = 'running'`).map(operationOf)
}

function operationOf(row: Row): Operation {
  return JSON.parse(String(row.record)) as Operation
}

function eventOf(row: Row): EventRecord {
  return {
    id: Number(row.id),
    at: String(row.at),
    kind: String(row.kind),
    service: textOf(row.service),
    node: textOf(row.node),
    epoch: row.epoch === null ? null : Number(row.epoch),
    text: String(row.text),
    detail: JSON.parse(String(row.detail)) as EventRecord['detail'],
  }
}

function bindingOf(row: Row): BindingRecord {
  return {
    service: String(row.service),
    binding: String(row.binding),
    node: textOf(row.node),
    epoch: row.epoch === null ? null : Number(row.epoch),
    state: String(row.state) as BindingWord,
    observed: textOf(row.observed),
    attempts: Number(row.attempts),
    lastError: textOf(row.last_error),
  }
}

function tokenOf(row: Row): TokenRecord {
  return { name: String(row.name), role: String(row.role) as Role, node: textOf(row.node), hash: String(row.hash) }
}

function textOf(value: Row[string] | undefined): string | null {
  return value == null ? null : String(value)
}
