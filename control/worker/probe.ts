/** One look at a place that should answer, from a Worker: a page by `fetch`, a port by the runtime's own sockets. */
import { connect } from 'cloudflare:sockets'
import type { Probe } from '../core/ports.ts'

export const probe: Probe = async (target, signal) => {
  try {
    signal.throwIfAborted()
    return await (target.kind === 'http' ? probeHttp(target.url, signal) : probeTcp(target.address, signal))
  } catch (error) {
    if (signal.aborted) return 'it did not answer in time'
    return error instanceof Error ? error.message : String(error)
  }
}

async function probeHttp(url: string, signal: AbortSignal): Promise<string | null> {
  const response = await fetch(url, { signal, redirect: 'manual', headers: { 'user-agent': 'holdfast' } })
  await response.body?.cancel()
  return response.status >= 200 && response.status < 400 ? null : `it answered ${response.status}`
}

async function probeTcp(address: string, signal: AbortSignal): Promise<string | null> {
  const socket = connect(address)
  const given = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
  })
  try {
    await Promise.race([socket.opened, given])
    return null
  } finally {
    await socket.close().catch(() => undefined)
  }
}
