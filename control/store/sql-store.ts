/** The store on any `Sql`. Every change is one transaction; every read returns what the last durable one left. */

import type { BindingWord } from '../binding.ts'
import type { Role } from '../config/config.ts'
import { emptyMemory, type Hold, type Memory, type Operation } from '../decision.ts'
import { migrate } from './migrations.ts'
import type { Row, Sql } from './sql.ts'
import {
  type BindingRecord,
  type Change,
  type DeclarationRecord,
  type DrainRecord,
  type EventRecord,
  type NodeRecord,
  type Prune,
  StaleEpochError,
  type Store,
  type TokenRecord,
} from './store.ts'

/** Opens the store, bringing an older database up to date; throws `NewerDatabaseError` and changes nothing on a newer one. */
export function createSqlStore(sql: Sql): Store {
  migrate(sql)
  return {
    load: () => ({
      owners: readOwners(sql),
      epochs: readEpochs(sql),
      memories: readMemories(sql),
      drains: readDrains(sql),
      declarations: readDeclarations(sql),
      nodes: readNodes(sql),
      running: readRunning(sql),
    }),
    recall: (service) => ({
      owners: readOwners(sql, service),
      epochs: readEpochs(sql, service),
      memories: readMemories(sql, service),
      running: readRunning(sql, service),
    }),
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
    firstEventId: () => Number(sql.all('SELECT min(id) AS id FROM events')[0]?.id ?? 0),
    operation: (id) => sql.all('SELECT record FROM operations WHERE id = ?', id).map(operationOf)[0],
    bindings: (service) => sql.all('SELECT * FROM bindings WHERE service = ? ORDER BY binding', service).map(bindingOf),
    tokens: () => sql.all('SELECT * FROM tokens ORDER BY name').map(tokenOf),
    operations: ({ service, limit }) =>
      sql
        .all(
          'SELECT record FROM operations WHERE ? IS NULL OR service = ? ORDER BY rowid DESC LIMIT ?',
          service ?? null,
          service ?? null,
          limit,
        )
        .map(operationOf),
    setTokens: (origin, tokens) => sql.write(() => replaceTokens(sql, origin, tokens)),
    addToken: (token) => sql.write(() => insertToken(sql, token)),
    removeToken: (id) => sql.write(() => sql.all('DELETE FROM tokens WHERE id = ? RETURNING id', id).length > 0),
    touch: () =>
      sql.write(() => {
        sql.all(`INSERT INTO drains (node, record) VALUES ('', '')`)
        sql.all(`DELETE FROM drains WHERE node = ''`)
      }),
    prune: (limits) => sql.write(() => prune(sql, limits)),
  }
}

function apply(sql: Sql, change: Change): EventRecord[] {
  const { owner, bindings = [], events = [], operations = [], node, memory, drain, declaration } = change
  if (declaration !== undefined) writeDeclaration(sql, declaration)
  if (owner !== undefined) writeOwner(sql, owner)
  for (const binding of bindings) writeBinding(sql, binding)
  for (const operation of operations) {
    sql.all(
      `INSERT INTO operations (id, service, status, record, ended_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET status = excluded.status, record = excluded.record, ended_at = excluded.ended_at`,
      operation.id,
      operation.service,
      operation.status,
      JSON.stringify(operation),
      operation.status === 'running' ? null : (operation.steps.at(-1)?.at ?? ''),
    )
  }
  if (node !== undefined) writeNode(sql, node)
  if (memory !== undefined) writeRecord(sql, 'memories (service', memory.service, memory.memory)
  if (drain?.drain === null) sql.all('DELETE FROM drains WHERE node = ?', drain.node)
  else if (drain !== undefined) writeRecord(sql, 'drains (node', drain.node, drain.drain)
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

/** `table` with the name of its key, such as `drains (node`. */
function writeRecord(sql: Sql, table: 'memories (service' | 'drains (node', key: string, record: Memory | Hold): void {
  sql.all(`INSERT OR REPLACE INTO ${table}, record) VALUES (?, ?)`, key, JSON.stringify(record))
}

function writeDeclaration(sql: Sql, { service, record }: NonNullable<Change['declaration']>): void {
  if (record === null) {
    // The row stays for its epoch.
    sql.all(`UPDATE services SET node = '' WHERE service = ?`, service)
    for (const table of ['declarations', 'bindings', 'memories']) {
      sql.all(`DELETE FROM ${table} WHERE service = ?`, service)
    }
    return
  }
  sql.all(
    'INSERT OR REPLACE INTO declarations (service, version, text, by_whom, at) VALUES (?, ?, ?, ?, ?)',
    service,
    record.version,
    record.text,
    record.by,
    record.at,
  )
}

function replaceTokens(sql: Sql, origin: TokenRecord['origin'], tokens: readonly TokenRecord[]): void {
  sql.all('DELETE FROM tokens WHERE origin = ?', origin)
  for (const token of tokens) insertToken(sql, token)
}

function insertToken(sql: Sql, { id, name, role, node, hash, origin, createdAt, expiresAt }: TokenRecord): void {
  sql.all(
    'INSERT INTO tokens (id, name, role, node, hash, origin, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    id,
    name,
    role,
    node,
    hash,
    origin,
    createdAt,
    expiresAt,
  )
}

/** How many of the oldest rows one pass looks at: it takes some milliseconds, and everybody else waits for that. */
const pruneRows = 2_000

function prune(sql: Sql, limits: Prune): boolean {
  const goneEvents = pruneEvents(sql, limits)
  const goneOperations = pruneOperations(sql, limits)
  return goneEvents === pruneRows || goneOperations === pruneRows
}

/** From the oldest on and without leaving any out, so that what is kept has no gap. The last stays: the next is numbered after it. */
function pruneEvents(sql: Sql, { before, events }: Prune): number {
  const last = Number(sql.all('SELECT max(id) AS id FROM events')[0]?.id ?? 0)
  const oldest = sql.all('SELECT id, at FROM events WHERE id < ? ORDER BY id LIMIT ?', last, pruneRows)
  const kept = oldest.findIndex(({ id, at }) => String(at) >= before && Number(id) > last - events)
  const gone = kept === -1 ? oldest : oldest.slice(0, kept)
  if (gone.length > 0) sql.all('DELETE FROM events WHERE id <= ?', gone.at(-1)!.id!)
  return gone.length
}

function pruneOperations(sql: Sql, { before, operations }: Prune): number {
  const all = Number(sql.all('SELECT count(*) AS count FROM operations')[0]!.count)
  const ended = sql.all(
    `SELECT rowid, ended_at FROM operations WHERE status != 'running' ORDER BY rowid LIMIT ?`,
    pruneRows,
  )
  const gone = ended.filter(({ ended_at: at }, i) => i < all - operations || String(at) < before)
  for (const { rowid } of gone) sql.all('DELETE FROM operations WHERE rowid = ?', rowid!)
  return gone.length
}

/** All rows of a query that ends with a condition; or, by its index, those of one service. */
function rowsOf(sql: Sql, query: string, service: string | undefined): Row[] {
  return service === undefined ? sql.all(query) : sql.all(`${query} AND service = ?`, service)
}

function readOwners(sql: Sql, service?: string) {
  const rows = rowsOf(sql, `SELECT * FROM services WHERE node != ''`, service)
  return Object.fromEntries(
    rows.map((row) => [
      String(row.service),
      { node: String(row.node), site: String(row.site), epoch: Number(row.epoch), since: String(row.since) },
    ]),
  )
}

function readEpochs(sql: Sql, service?: string): Record<string, number> {
  const rows = rowsOf(sql, 'SELECT service, epoch FROM services WHERE true', service)
  return Object.fromEntries(rows.map((row) => [String(row.service), Number(row.epoch)]))
}

function readMemories(sql: Sql, service?: string): Record<string, Memory> {
  const rows = rowsOf(sql, 'SELECT * FROM memories WHERE true', service)
  return Object.fromEntries(
    rows.map((row) => [String(row.service), { ...emptyMemory, ...(JSON.parse(String(row.record)) as Memory) }]),
  )
}

function readDrains(sql: Sql): DrainRecord[] {
  const rows = sql.all('SELECT * FROM drains ORDER BY node')
  return rows.map((row) => ({ node: String(row.node), ...(JSON.parse(String(row.record)) as Hold) }))
}

function readDeclarations(sql: Sql): DeclarationRecord[] {
  return sql.all('SELECT * FROM declarations ORDER BY service').map((row) => ({
    service: String(row.service),
    version: Number(row.version),
    text: String(row.text),
    by: String(row.by_whom),
    at: String(row.at),
  }))
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

function readRunning(sql: Sql, service?: string): Operation[] {
  return rowsOf(sql, `SELECT record FROM operations WHERE status = 'running'`, service).map(operationOf)
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
  return {
    id: String(row.id),
    name: String(row.name),
    role: String(row.role) as Role,
    node: textOf(row.node),
    hash: String(row.hash),
    origin: String(row.origin) as TokenRecord['origin'],
    createdAt: String(row.created_at),
    expiresAt: textOf(row.expires_at),
  }
}

function textOf(value: Row[string] | undefined): string | null {
  return value == null ? null : String(value)
}
