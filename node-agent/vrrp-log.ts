/** What the VRRP process says, as lines of the agent's log. */
import { now } from './linux/clock.ts'
import type { Log } from './log.ts'
import type { FromVrrp } from './ports.ts'
import type { Instant } from './vrrp/time.ts'

/** The supervisor may read the pipe late; what is told must be when it happened. */
export function wallTime(at: Instant): string {
  return new Date(Date.now() - (now() - at) / 1_000).toISOString()
}

export function logMessage(log: Log, message: FromVrrp): void {
  switch (message.kind) {
    case 'started': {
      const { realtime, cleaned } = message
      log('info', { event: 'vrrp-started', realtime, cleaned, msg: 'the VRRP process runs' })
      if (cleaned.length > 0)
        log('warn', {
          event: 'leftovers-removed',
          addresses: cleaned,
          msg: 'removed addresses that a crash left behind',
        })
      return
    }
    case 'transition': {
      const { service, from, to, reason } = message
      log('info', {
        event: 'state',
        service,
        from,
        to,
        reason,
        happenedAt: wallTime(message.at),
        msg: `${service}: ${from} to ${to} (${reason})`,
      })
      return
    }
    case 'announced':
      log('info', {
        event: 'announced',
        happenedAt: wallTime(message.at),
        service: message.service,
        addresses: message.addresses,
        msg: `${message.service}: hosts are told where it is`,
      })
      return
    case 'warning':
      log('warn', { event: 'warning', msg: message.message })
      return
    case 'refused':
      log('error', { event: 'refused', msg: message.message })
      return
    case 'restored': {
      const { service, address } = message
      const msg = `${service}: somebody else removed ${address} from this machine; it is put back`
      log('warn', { event: 'address-restored', service, address, msg })
      return
    }
    case 'odd':
      log('warn', {
        event: 'odd',
        ...message,
        kind: undefined,
        msg: `${message.service}: heard ${message.oddity} from ${message.source}`,
      })
      return
    case 'late':
      log('warn', {
        event: 'late',
        service: message.service,
        byMs: message.byMs,
        msg: `${message.service}: a timer fired ${message.byMs} ms late`,
      })
      return
    case 'answer':
    case 'reconfigured':
    case 'status':
      return
  }
}
