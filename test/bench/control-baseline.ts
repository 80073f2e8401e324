/**
 * What control is compared with: a bare Hono route that takes a node's report and makes its row durable, in the same
 * database file with the same settings and the same commits in groups, and does nothing else: no check of who calls or
 * of what was sent, no decision, nothing that anybody could ask for later.
 *
 *   node control-baseline.ts DATABASE
 */
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { Report } from '../../control/contract.ts'
import { openDatabase } from '../../control/node/node-sqlite.ts'
import { createSqlStore } from '../../control/store/sql-store.ts'

const store = createSqlStore(openDatabase(process.argv[2]!))
const app = new Hono()
app.post('/v1/nodes/:node/report', async (context) => {
  const { node, site, incarnation, sequence, services } = await context.req.json<Report>()
  await store.write({
    node: { node, site, incarnation, former: [], sequence, lastReport: new Date().toISOString(), services },
  })
  return context.json({ commands: [] })
})
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
