/**
 * One cluster as a Durable Object: the same application, core and SQL as on Node.
 *
 *   request, message, end of a link, alarm ──▶ control (started, if this is the first event since sleep) ──▶ core
 *
 * It sleeps whenever nothing is awaited. Pings of nodes are answered by the runtime and do not wake it. Its links stay
 * open while it sleeps, and drop when code is deployed or its machine is replaced: the core takes that for what it is,
 * a restart of control, and waits for nodes to speak before it believes anybody to be dead.
 */

import { DurableObject } from 'cloudflare:workers'
import type { Log } from '../core/ports.ts'
import { messageOf } from '../message-of.ts'
import { type Control, startControl } from './control.ts'
import { createLog } from './log.ts'
import { problemResponse } from './problem-response.ts'
import { configText, readClusterConfig, type Variables } from './settings.ts'

/** How long until a start that failed is tried again without anybody asking, in milliseconds. */
const startAgainMs = 60_000

export class ClusterObject extends DurableObject<Variables> {
  private readonly log: Log
  private running: Control | undefined
  private failure: string | undefined

  constructor(context: DurableObjectState, variables: Variables) {
    super(context, variables)
    this.log = createLog({ cluster: context.id.name ?? context.id.toString() }, variables.HOLDFAST_LOG_LEVEL)
    context.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
    void context.blockConcurrencyWhile(() => this.start())
  }

  override async fetch(request: Request): Promise<Response> {
    const control = await this.control('request')
    if (control !== undefined) return control.fetch(request)
    const detail = 'control could not start; its log says why'
    return problemResponse(request, { status: 503, code: 'unavailable', detail })
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const control = await this.control('message')
    const owner = control?.links.ownerOf(socket)
    if (control === undefined || owner === undefined) socket.close(1013, 'control could not start')
    else await control.link.heard(owner, socket, message)
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    await this.ended(socket)
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.ended(socket)
  }

  /** Never throws: an alarm that keeps failing is given up by the runtime. */
  override async alarm(): Promise<void> {
    const control = await this.control('alarm')
    if (control !== undefined) control.timer.ring()
    else await this.ctx.storage.setAlarm(Date.now() + startAgainMs)
  }

  private async ended(socket: WebSocket): Promise<void> {
    const control = await this.control('link-ended')
    const owner = control?.links.ownerOf(socket)
    if (control !== undefined && owner !== undefined) control.link.ended(owner, socket)
  }

  /** Undefined when it cannot be started, for a reason that the log has. */
  private async control(by: 'request' | 'message' | 'link-ended' | 'alarm'): Promise<Control | undefined> {
    // What an idle deployment costs is the number of these lines.
    this.log('debug', { event: 'ran', by })
    if (this.running === undefined) await this.ctx.blockConcurrencyWhile(() => this.start())
    return this.running
  }

  /** The cluster's. Kept, since not every event that wakes an object has been known to bring its name. */
  private name(): string {
    const { kv } = this.ctx.storage
    const { name } = this.ctx.id
    const kept = kv.get<string>('name')
    if (name !== undefined && kept !== name) kv.put('name', name)
    const known = name ?? kept
    if (known === undefined) throw new Error('this object was not addressed by the name of a cluster')
    return known
  }

  private async start(): Promise<void> {
    if (this.running !== undefined) return
    try {
      const name = this.name()
      const config = readClusterConfig(this.env, name)
      const text = configText(this.env, name)
      this.running = await startControl({ context: this.ctx, config, text, log: this.log })
      this.log('debug', { event: 'started', links: this.running.links.nodes().length })
    } catch (error) {
      const message = messageOf(error)
      // Each event tries again; the same reason again and again is one line in the log.
      if (message !== this.failure) this.log('error', { event: 'start-failed', message })
      this.failure = message
    }
  }
}
