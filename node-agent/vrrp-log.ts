/** What the VRRP process says, as lines of the agent's log. */
import { now } from './linux/clock.ts'
import type { Log } from './log.ts'
import type { FromVrrp } from './ports.ts'
import type { Oddity } from './vrrp/admit.ts'
import type { Instant } from './vrrp/time.ts'

/** The supervisor may read the pipe late; what is told must be when it happened. */
export function wallTime(at: Instant): string {
  return new Date(Date.now() - (now() - at) / 1_000).toISOString()
}

/** What a peer does that is odd, and what to do about it. */
const odd: Readonly<Record<Oddity, string>> = {
  'checksum-form-differs':
    'makes its checksum in the other form, and may discard what we send: set checksum to its form',
  'interval-differs': 'advertises at another interval: configure the same on all nodes',
  'first-not-link-local': 'names an address first that is not link-local: some routers discard that',
  'source-not-link-local': 'sends from an address that is not link-local: some routers discard that',
  'address-list-differs': 'has other addresses for it: configure the same on all nodes',
  'second-owner': 'says that it is the address owner too: only one node may have priority 255',
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
        msg: `${message.service}: ${message.source} ${odd[message.oddity]}`,
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
