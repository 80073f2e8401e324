/** Clients, the edge Worker, control as a process, its probes, agents in two sites and their origins: the whole of it. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type ControlProcess,
  createFolder,
  startControl,
  viewerToken,
  writeControlConfig,
} from '../../support/control-process.ts'
import { bundleEdge, type Edge, type RealServer, serve, startEdge } from '../../support/edge.ts'
import { eventually } from '../../support/eventually.ts'
import { createAgent, type ScriptedAgent } from '../../support/scripted-agent.ts'

const folder = createFolder()
const host = 'www.example.com'
const agents: ScriptedAgent[] = []
const origins = new Map<string, RealServer>()
let control: ControlProcess
let edge: Edge

const serveSite = (site: string, port = 0) => serve((_, response) => void response.end(site), port)

beforeAll(async () => {
  // First, since this process stands still meanwhile, and the origins in it would not answer.
  const code = bundleEdge(join(folder.path, 'bundle'))
  for (const site of ['dc1', 'dc2']) origins.set(site, await serveSite(site))
  const originOf = (site: string) => {
    const { url } = origins.get(site)!
    return { url, probe: { http: `${url}/healthz`, interval: '100ms', timeout: '1s', rise: 2, fall: 2 } }
  }
  const services = {
    web: { sites: ['dc1', 'dc2'], hosts: [host], origins: { dc1: originOf('dc1'), dc2: originOf('dc2') } },
  }
  const configFile = writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: ['n1', 'n2'],
    services,
  })
  control = await startControl(configFile)
  for (const [node, site] of [
    ['n1', 'dc1'],
    ['n2', 'dc2'],
  ] as const) {
    const agent = createAgent({ node, site, service: 'web', priority: 100 })
    agents.push(agent)
    await agent.connect(control.url)
    agent.say('active')
  }
  await control.until('web', { owner: { node: 'n1' }, origins: { dc1: 'healthy', dc2: 'healthy' } })
  const vars = { HOLDFAST_URL: control.url, HOLDFAST_TOKEN: viewerToken }
  edge = await startEdge({ code, folder: join(folder.path, 'edge'), vars })
}, 60_000)

afterAll(async () => {
  await edge?.close()
  for (const agent of agents) agent.drop()
  control?.signal('SIGKILL')
  for (const origin of origins.values()) await origin.stop()
  folder.remove()
})

const look = async () => {
  const { status, body, headers } = await edge.ask(host)
  return `${status} ${body} at ${headers['x-holdfast-epoch']}`
}

test('an origin dies and comes back, then control dies: clients are served throughout', async () => {
  expect(await look()).toBe('200 dc1 at 1')

  await origins.get('dc1')!.stop()
  // Before control has noticed: this very request finds the other site.
  expect(await look()).toMatch(/^200 dc2 at [12]$/)
  await eventually(look, (seen) => expect(seen).toBe('200 dc2 at 2'))

  origins.set('dc1', await serveSite('dc1', origins.get('dc1')!.port))
  await eventually(look, (seen) => expect(seen).toBe('200 dc1 at 3'))
  const kinds = (await control.events('web')).map(({ kind }) => kind)
  expect(kinds.filter((kind) => /^(origin|owner)-/.test(kind))).toEqual([
    'owner-changed',
    'origin-down',
    'owner-changed',
    'origin-up',
    'owner-changed',
  ])

  control.signal('SIGKILL')
  await control.ended
  expect(await look()).toBe('200 dc1 at 3')
  await origins.get('dc1')!.stop()
  expect(await look()).toBe('200 dc2 at 3')
})
