/** Watches the lease on control, polls peers while it is overdue or over, and says what becomes of each service. */
import type { AgentConfig, ServiceRules } from './config.ts'
import { type Lease, leaseAt, type PeerWord, pollEveryMs, type Verdict, whenLost } from './link/lease.ts'
import type { Log } from './log.ts'
import { createInquirer, type Inquirer } from './peers.ts'

export type LossWatch = { readonly lease: () => Lease; readonly stop: () => void }

export type LossWatchOptions = {
  readonly config: AgentConfig
  readonly log: Log
  /** Milliseconds on the clock that counts the time of a suspended machine. */
  readonly now: () => number
  /** When the last ping was sent that control answered. */
  readonly confirmedAt: () => number | null
  readonly isActive: (service: string) => boolean
  readonly onLost: () => void
  readonly onVerdict: (service: string, verdict: Verdict) => void
}

/** The longest pause between two looks, so that a suspended machine notices soon after it wakes. */
const lookEveryMs = 250

type Watched = {
  readonly rules: ServiceRules
  verdict: Verdict
  readonly words: Map<string, PeerWord>
}

export function watchLoss(options: LossWatchOptions): LossWatch {
  const { config, log, now, confirmedAt, isActive, onLost, onVerdict } = options
  const inquirer = createInquirer()
  const watched = config.services
    .filter(({ onLost: policy }) => policy !== 'hold')
    .map((rules): Watched => ({ rules, verdict: 'keep', words: new Map() }))
  let lease: Lease = 'none'
  let polledAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined

  const judge = (service: Watched): void => {
    const { rules, words, verdict: before } = service
    const peers = Object.keys(config.peers?.nodes ?? {}).map((node) => words.get(node))
    const active = isActive(rules.name)
    const verdict = whenLost(before, { policy: rules.onLost, lease, active, peers, now: now() })
    if (verdict === before) return
    service.verdict = verdict
    onVerdict(rules.name, verdict)
  }

  const poll = (): void => {
    polledAt = now()
    for (const service of watched.filter(({ rules }) => rules.onLost === 'failsafe')) {
      void inquire(options, inquirer, service)
    }
  }

  const look = (): void => {
    const at = leaseAt(confirmedAt(), now())
    const before = lease
    lease = at.lease
    if (lease === 'over' && before !== 'over') {
      log('warn', { event: 'lease-over', msg: 'control has not answered for a whole lease' })
      onLost()
    }
    if (before === 'over' && lease !== 'over') log('info', { event: 'lease-back', msg: 'control answers again' })
    if (lease !== 'overdue' && lease !== 'over') for (const { words } of watched) words.clear()
    else if (now() - polledAt >= pollEveryMs) poll()
    for (const service of watched) judge(service)
    timer = setTimeout(look, Math.max(1, Math.min(lookEveryMs, (at.until ?? Number.POSITIVE_INFINITY) - now())))
  }
  look()
  return {
    lease: () => lease,
    stop: () => {
      clearTimeout(timer)
      inquirer.close()
    },
  }
}

/** Asks every peer; the word of one that does not answer grows old. */
async function inquire(options: LossWatchOptions, inquirer: Inquirer, { rules, words }: Watched): Promise<void> {
  const { config, now, isActive } = options
  const asking = Object.entries(config.peers?.nodes ?? {}).map(async ([node, peer]) => {
    const [askedAt, whileActive] = [now(), isActive(rules.name)]
    const says = await inquirer.ask({ peer, service: rules.name, node: config.node })
    // A slow answer to an older question does not outdo a newer one.
    const newer = (words.get(node)?.askedAt ?? askedAt) > askedAt
    if (says !== undefined && !newer) words.set(node, { askedAt, says, whileActive })
  })
  await Promise.all(asking)
}
