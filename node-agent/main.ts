/**
 * The agent: starts what it consists of, changes it where its configuration does, and lets it leave politely.
 *
 *   control ◀── link ──┐
 *    checks ───────────┼── supervisor ══ pipe ══ vrrp-process ── the LAN
 *    peers ◀───────────┤
 *    status socket ────┘
 *
 * The LAN needs nothing of this process but its life: when it ends, the VRRP process resigns.
 */
import { randomUUID } from 'node:crypto'
import { heartbeatMs } from '../control/contract.ts'
import { unknownHealth } from './checks/health.ts'
import { runChecks } from './checks/runner.ts'
import type { AgentConfig } from './config.ts'
import { sinceBoot } from './linux/boot-clock.ts'
import type { Log } from './log.ts'
import { type Overview, statusOf } from './overview.ts'
import {
  type Agent,
  applyFilter,
  linkToControl,
  listenToPeers,
  lookingFirst,
  type Parts,
  startVrrp,
  watchControl,
} from './parts.ts'
import { applyChanges, longestResignationMs } from './reconfigure.ts'
import { createReloads, type Reread } from './reload.ts'
import { serveStatus } from './status.ts'
import { createSupervisor } from './supervisor.ts'

export type AgentOptions = {
  readonly config: AgentConfig
  readonly log: Log
  /** Aborts when the agent is to leave. */
  readonly signal: AbortSignal
  readonly reread: Reread
  /** Told what to do whenever somebody signals that the file is different. */
  readonly onHangup: (reload: () => void) => void
}

/** Runs until `signal` aborts; resolves to the exit code. Throws when it can't start. */
export async function runAgent({ config, log, signal, reread, onHangup }: AgentOptions): Promise<number> {
  const agent = createAgent(config, log)
  const { supervisor, incarnation } = agent
  const apply = (next: AgentConfig, changes: Parameters<typeof applyChanges>[2]) => applyChanges(agent, next, changes)
  const reloads = createReloads({ current: () => agent.config, reread, apply, log })
  const status = await serveStatus(config.socket, { status: () => statusOf(overviewOf(agent)), reload: reloads.reload })
  const unfiltered = await applyFilter(config)
  if (unfiltered !== null) {
    await status.close()
    // The code marks it as a failure to tell in one line, and not as a defect of ours with a stack.
    throw Object.assign(new Error(unfiltered), { code: 'ENFT' })
  }
  const refused = Promise.withResolvers<'refused'>()
  startVrrp(agent, () => refused.resolve('refused'))
  linkToControl(agent)
  agent.checks = runChecks(config.checks, supervisor.checked)
  watchControl(agent)
  listenToPeers(agent)
  const pulse = setInterval(supervisor.pulse, heartbeatMs)
  onHangup(() => void reloads.reload())
  log('info', { event: 'agent-started', incarnation, socket: config.socket, msg: `agent of ${config.node} started` })

  const why = await Promise.race([refused.promise, aborted(signal)])
  clearInterval(pulse)
  await reloads.end()
  const polite = await leave(agent)
  await status.close()
  if (why === 'refused') return 1
  log('info', {
    event: 'agent-stopped',
    polite,
    msg: polite ? 'resigned and stopped' : 'the VRRP process did not resign in time and was killed',
  })
  return polite ? 0 : 1
}

/** What the supervisor speaks through begins after it, since each of them hears it. */
function createAgent(config: AgentConfig, log: Log): Agent {
  const parts: Parts = { link: undefined, child: undefined, checks: undefined, loss: undefined, peers: undefined }
  const healthOf: Agent['healthOf'] = (check) => parts.checks?.healthOf(check) ?? unknownHealth
  const plain = createSupervisor(config, {
    log,
    tellVrrp: (message) => parts.child?.send(message),
    report: (services, occasion) => parts.link?.report(services, occasion),
    result: (result) => parts.link?.result(result),
    hurry: () => parts.link?.hurry(),
    healthOf,
    now: sinceBoot,
  })
  const supervisor = lookingFirst(plain, () => parts.loss?.look())
  return Object.assign(parts, { config, log, healthOf, supervisor, incarnation: randomUUID() })
}

function overviewOf({ config, incarnation, supervisor, healthOf, link, loss, child }: Agent): Overview {
  return {
    ...{ config, incarnation, supervisor, healthOf },
    connected: link?.connected() ?? false,
    lease: loss?.lease() ?? 'none',
    vrrpPid: child?.pid() ?? null,
  }
}

/** False when somebody had to be killed. */
async function leave(agent: Agent): Promise<boolean> {
  agent.loss?.stop()
  agent.checks?.stop()
  const polite = (await agent.child?.stop(longestResignationMs(agent.config))) ?? true
  agent.peers?.close()
  agent.supervisor.stopped()
  await agent.link?.close()
  await applyFilter({ ...agent.config, routers: [] })
  return polite
}

function aborted(signal: AbortSignal): Promise<'stopped'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stopped')
    signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
}
