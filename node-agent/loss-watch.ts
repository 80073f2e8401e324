/** Watches the lease on control, polls peers while it is overdue or over, and says what becomes of each service. */
import type { AgentConfig, ServiceRules } from './config.ts'
import {
  type Lease,
  leaseAt,
  leaveAt,
  type PeerWord,
  pollEveryMs,
  type Serving,
  unbounded,
  whenLost,
} from './link/lease.ts'
import type { Log } from './log.ts'
import { createInquirer, type Inquirer } from './peers.ts'

export type LossWatch = {
  readonly lease: () => Lease
  /** Looks now: whoever may have slept does so before it says anything. */
  readonly look: () => void
  /** Services that are as they were keep what became of them. */
  readonly reconfigure: (config: AgentConfig) => void
  readonly stop: () => void
}

export type LossWatchOptions = {
  /** As it is at the start. */
  readonly config: AgentConfig
  readonly log: Log
  /** Milliseconds on the clock that counts the time of a suspended machine. */
  readonly now: () => number
  /** When the last ping was sent that control answered. */
  readonly confirmedAt: () => number | null
  readonly isActive: (service: string) => boolean
  readonly onLost: () => void
  /** Each time that it changes, so with each answer of control. */
  readonly onServing: (service: string, serving: Serving) => void
}

/** The longest pause between two looks, so that a suspended machine notices soon after it wakes. */
const lookEveryMs = 250

type Watched = {
  readonly rules: ServiceRules
  serving: Serving
  readonly words: Map<string, PeerWord>
}

export function watchLoss(options: LossWatchOptions): LossWatch {
  const { log, now, confirmedAt, isActive, onLost, onServing } = options
  const inquirer = createInquirer()
  let config = options.config
  let watched = watchedOf(config, [])
  let lease: Lease = 'none'
  let polledAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const judge = (service: Watched): void => {
    const { rules, words, serving: before } = service
    const heardAt = confirmedAt()
    const peers = Object.keys(config.peers?.nodes ?? {}).map((node) => words.get(node))
    const active = isActive(rules.name)
    const serving = whenLost(before, {
      policy: rules.onLost,
      leaveAt: heardAt === null ? null : leaveAt(heardAt, rules.leaveMs),
      ...{ active, peers, now: now() },
    })
    if (serving.verdict === before.verdict && serving.until === before.until) return
    service.serving = serving
    onServing(rules.name, serving)
  }

  const poll = (): void => {
    polledAt = now()
    for (const service of watched.filter(({ rules }) => rules.onLost === 'failsafe')) {
      void inquire({ ...options, config }, inquirer, service)
    }
  }

  const look = (): void => {
    clearTimeout(timer)
    if (stopped) return
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
    const ends = watched.flatMap(({ serving: { verdict, until } }) => (verdict === 'yield' ? [] : [until]))
    const nexts = [at.until, ...ends].map((until) => (until ?? Number.POSITIVE_INFINITY) - now())
    timer = setTimeout(look, Math.max(1, Math.min(lookEveryMs, ...nexts)))
  }
  look()
  return {
    lease: () => lease,
    look,
    reconfigure(next) {
      const before = watched
      config = next
      watched = watchedOf(next, before)
      for (const { rules, serving } of before) {
        const goesOn = watched.some((service) => service.rules.name === rules.name)
        if (!goesOn && serving !== unbounded) onServing(rules.name, unbounded)
      }
      look()
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
      inquirer.close()
    },
  }
}

function watchedOf({ services }: AgentConfig, before: readonly Watched[]): Watched[] {
  return services
    .filter(({ onLost }) => onLost !== 'hold')
    .map((rules) => {
      const former = before.find((service) => service.rules.name === rules.name)
      return { rules, serving: former?.serving ?? unbounded, words: former?.words ?? new Map() }
    })
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
