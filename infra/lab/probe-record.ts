/**
 * What became of each probe, and the outages that follow from it. No input or output: the caller sends, receives and
 * tells the time.
 *
 *     settled ──────────▶ oldest ── still may be answered ──▶ next
 *
 * Probes are settled in the order of their numbers, each once: answered, or lost after `timeoutMs`. Only settled
 * probes are counted, so a report never has to be taken back. Live events are faster and less certain: they come when
 * the first probe is unanswered for `lostAfterMs`, and when the first one thereafter is answered.
 */

/** A run of lost probes, between the instants at which the answered ones around it were sent. */
export type Outage = { readonly fromMs: number; readonly toMs: number; readonly lost: number }

export type ProbeReport = {
  readonly sent: number
  readonly lost: number
  /** In order of time; at most the first 10,000. */
  readonly outages: readonly Outage[]
  /** The one that had not ended with the last probe of this report. */
  readonly open?: { readonly fromMs: number; readonly lost: number }
  /** An open one counts with its length so far. 0 when no probe was lost. */
  readonly longestOutageMs: number
  /** How much later than planned a probe was sent at worst: what this machine's own load adds. */
  readonly worstLatenessMs: number
  /** Probes that were never sent, because the prober itself was held up for long. Not lost, but not measured either. */
  readonly skipped: number
}

export type ProbeEvent =
  /** The first answer of all. */
  | { readonly event: 'answered'; readonly at: number }
  /** `at`: when the first unanswered probe was sent. */
  | { readonly event: 'lost'; readonly at: number }
  | { readonly event: 'recovered'; readonly at: number; readonly lost: number; readonly outageMs: number }
  | ({ readonly event: 'report'; readonly id: number } & ProbeReport)

export type RecordOptions = { readonly timeoutMs: number; readonly lostAfterMs: number; readonly intervalMs: number }

export type ProbeRecord = {
  /** The next probe leaves now; its number. */
  sent(now: number, latenessMs: number): number
  skipped(count: number): void
  answered(sequence: number, now: number): void
  /** Later reports count from the probes that are sent from now on. */
  mark(): void
  /** A report follows as an event, as soon as all probes sent so far are settled. */
  report(id: number): void
  /** Settles what can be settled. To be called often. */
  settle(now: number): void
}

export function createProbeRecord(options: RecordOptions, emit: (event: ProbeEvent) => void): ProbeRecord {
  const size = 2 ** Math.ceil(Math.log2((2 * options.timeoutMs) / options.intervalMs + 1024))
  const sentAt = new Float64Array(size)
  const isAnswered = new Uint8Array(size)
  const at = (sequence: number): number => sequence % size
  let next = 0
  let oldest = 0
  let anyAnswer = false
  const live = createLiveWatch(options.lostAfterMs, emit)
  const tally = createTally()
  const barriers: { readonly sequence: number; readonly id: number | undefined }[] = []

  const passBarriers = (): void => {
    while (barriers[0]?.sequence === oldest) {
      const { id } = barriers.shift()!
      if (id === undefined) tally.reset()
      else emit({ event: 'report', id, ...tally.report() })
    }
  }
  return {
    sent: (now, latenessMs) => {
      sentAt[at(next)] = now
      isAnswered[at(next)] = 0
      tally.late(latenessMs)
      next += 1
      return next - 1
    },
    skipped: (count) => tally.skip(count),
    answered: (sequence, now) => {
      if (sequence < oldest || sequence >= next) return
      isAnswered[at(sequence)] = 1
      if (!anyAnswer) emit({ event: 'answered', at: now })
      anyAnswer = true
      live.answered(sequence, sentAt[at(sequence)]!, now)
    },
    mark: () => {
      barriers.push({ sequence: next, id: undefined })
      passBarriers()
    },
    report: (id) => {
      barriers.push({ sequence: next, id })
      passBarriers()
    },
    settle: (now) => {
      live.look({ next, sentAt: (sequence) => sentAt[at(sequence)]!, now })
      while (oldest < next) {
        const slot = at(oldest)
        const done = isAnswered[slot] === 1
        if (!done && now - sentAt[slot]! < options.timeoutMs) return
        tally.settled(sentAt[slot]!, done)
        oldest += 1
        passBarriers()
      }
    },
  }
}

/** Says at once what the tally will only know after the time-out. An outage shorter than `lostAfterMs` is no news. */
function createLiveWatch(lostAfterMs: number, emit: (event: ProbeEvent) => void) {
  let first = 0 // the oldest probe after which nothing has been answered
  let lastAnswered: number | undefined // when the one before it was sent
  let lostFrom: number | undefined // since when nothing is answered, while an outage is on
  return {
    answered: (sequence: number, sentAt: number, now: number): void => {
      if (sequence < first) return
      if (lostFrom !== undefined) {
        emit({ event: 'recovered', at: now, lost: sequence - first, outageMs: sentAt - lostFrom })
      }
      lostFrom = undefined
      lastAnswered = sentAt
      first = sequence + 1
    },
    look: ({ next, sentAt, now }: { next: number; sentAt: (sequence: number) => number; now: number }): void => {
      if (lostFrom !== undefined || first >= next || now - sentAt(first) <= lostAfterMs) return
      lostFrom = lastAnswered ?? sentAt(first)
      emit({ event: 'lost', at: sentAt(first) })
    },
  }
}

/** Counts settled probes, in order. */
function createTally() {
  const most = 10_000
  let outages: Outage[] = []
  let counts = { sent: 0, lost: 0, longestOutageMs: 0, worstLatenessMs: 0, skipped: 0 }
  let lastAnswered: number | undefined
  let run: { fromMs: number; lost: number } | undefined
  return {
    settled: (sentAt: number, answered: boolean): void => {
      counts.sent += 1
      if (!answered) {
        counts.lost += 1
        run ??= { fromMs: lastAnswered ?? sentAt, lost: 0 }
        run.lost += 1
      }
      if (run !== undefined) counts.longestOutageMs = Math.max(counts.longestOutageMs, sentAt - run.fromMs)
      if (!answered) return
      if (run !== undefined && outages.length < most) outages.push({ ...run, toMs: sentAt })
      run = undefined
      lastAnswered = sentAt
    },
    late: (latenessMs: number): void => {
      counts.worstLatenessMs = Math.max(counts.worstLatenessMs, latenessMs)
    },
    skip: (count: number): void => {
      counts.skipped += count
    },
    /** An outage that is on stays on, with its beginning; only its probes are counted anew. */
    reset: (): void => {
      outages = []
      counts = { sent: 0, lost: 0, longestOutageMs: 0, worstLatenessMs: 0, skipped: 0 }
      if (run !== undefined) run.lost = 0
    },
    report: (): ProbeReport => ({ ...counts, outages, ...(run === undefined ? {} : { open: { ...run } }) }),
  }
}
