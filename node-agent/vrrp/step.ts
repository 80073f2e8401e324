/**
 * The state machine of VRRP as one pure function (RFC 9568 §6.4; RFC 3768 §6.4 where a router speaks version 2), with
 * four additions that the RFCs leave open: a polite leave that loses no packet (`resigning`), a take-over that an
 * operator asks for, taking no part while told to yield, and stepping down after a freeze.
 *
 * The caller owns sockets, clock and timers. It hands over each event with the instant it happened, performs the
 * effects, and calls again with `tick` at `nextDeadline(router, state)`. It must hand over every datagram that is
 * already queued before a `tick`: a process that was held up must not depose a healthy peer.
 */
import { type Address, compareAddresses } from '../wire/address.ts'
import { nextAnnouncement } from './announce.ts'
import type { Active, Backup, Effect, Event, Initialize, Resigning, State, Step, VirtualRouter } from './router.ts'
import {
  after,
  type Centiseconds,
  earliest,
  type Instant,
  type Microseconds,
  milliseconds,
  ofCentiseconds,
} from './time.ts'

/**
 * A virtual router as it runs: `priority` is what its checks leave of the configured one, and its interface has told
 * where its advertisements come from, which breaks ties.
 */
export type RunningRouter = VirtualRouter & { readonly primaryAddress: Address; readonly yielding: boolean }

/**
 * How long a router that was outranked goes on answering. The successor's advertisement is ahead of its addresses
 * and gratuitous ARP; at a host that still sends to us nothing is lost meanwhile. Below T-13's 50 ms.
 */
export const handoverLinger = milliseconds(25)

/** At most one answer to losing advertisements in this time (F-32), so that nobody can make us flood the link. */
const replyInterval = milliseconds(10)

export function step(router: RunningRouter, state: State, event: Event, now: Instant): Step {
  switch (state.kind) {
    case 'initialize':
      return stepInitialize(router, state, event, now)
    case 'backup':
      return stepBackup(router, state, event, now)
    case 'active':
      return stepActive(router, state, event, now)
    case 'resigning':
      return stepResigning(router, state, event, now)
  }
}

/** When `step` next wants a `tick`. Undefined while no timer runs. */
export function nextDeadline(router: VirtualRouter, state: State): Instant | undefined {
  switch (state.kind) {
    case 'initialize':
      return state.startsAt
    case 'backup':
      return earliest(state.activeDownAt, state.answersUntil)
    case 'active':
      return earliest(state.adverAt, nextAnnouncement(router.announce, state))
    case 'resigning':
      return state.answersUntil
  }
}

/** The priority that the router advertises, or would advertise. */
export function priorityNow(router: VirtualRouter, state: State): number {
  return state.kind === 'active' ? (state.raisedTo ?? router.priority) : router.priority
}

// §6.4.1
function stepInitialize(router: RunningRouter, state: Initialize, event: Event, now: Instant): Step {
  switch (event.kind) {
    case 'startup':
      if (event.first !== true || event.holding === true || router.startDelay === 0)
        return start(router, event.holding === true, now)
      return stay({ kind: 'initialize', startsAt: after(now, router.startDelay) })
    case 'tick':
      return state.startsAt !== undefined && now >= state.startsAt ? start(router, false, now) : stay(state)
    case 'shutdown':
    case 'fault':
      return stay({ kind: 'initialize' })
    default:
      return stay(state)
  }
}

function start(router: RunningRouter, holding: boolean, now: Instant): Step {
  if (router.priority === 255) return becomeActive(router, now, 'address owner')
  // Our own process died while active and hosts still reach us: hand over instead of dropping them.
  if (holding) return resign(router, now, 'backup', 'process restarted while active')
  const preemptAt = router.preemptDelay > 0 ? { preemptAt: after(now, router.preemptDelay) } : {}
  return {
    state: { ...follow(router, router.advertisementInterval, now), ...preemptAt },
    effects: [],
    reason: 'started',
  }
}

// §6.4.2
function stepBackup(router: RunningRouter, state: Backup, event: Event, now: Instant): Step {
  switch (event.kind) {
    case 'shutdown':
    case 'fault':
      return {
        state: { kind: 'initialize' },
        effects: state.answersUntil === undefined ? [] : [{ kind: 'remove-addresses' }],
        reason: event.kind === 'fault' ? 'interface down' : 'shutdown',
      }
    case 'take-over':
      return becomeActive(router, now, 'take-over', event.priority)
    case 'tick':
      if (now >= state.activeDownAt)
        return router.yielding ? stay(waitOn(router, state, now)) : becomeActive(router, now, 'active down')
      return state.answersUntil !== undefined && now >= state.answersUntil ? stopAnswering(state) : stay(state)
    case 'advertisement':
      return stay(hear(router, state, event, now))
    case 'yield':
      // Back in the election as after a start: whoever is active has a whole wait to be heard.
      return stay(router.yielding ? state : { ...state, ...enterBackup(router, state.activeAdverInterval, now) })
    case 'priority':
      return stay(reskew(router, state, event.was))
    case 'slept':
      // Whoever was active has most likely gone on without us, and is heard before the wait is over.
      return state.answersUntil === undefined ? stay(state) : stopAnswering(state)
    case 'startup':
    case 'lower':
    case 'address-lost':
      return stay(state)
  }
}

/** Nobody is active and we may not be: the wait begins anew. */
function waitOn(router: RunningRouter, state: Backup, now: Instant): Backup {
  return { ...state, ...follow(router, state.activeAdverInterval, now) }
}

/** The wait goes on, and ends as early or late as the new priority says. */
function reskew(router: RunningRouter, state: Backup, was: number): Backup {
  const skewed = skewTime(router, state.activeAdverInterval)
  const before = skewTime({ ...router, priority: was }, state.activeAdverInterval)
  return { ...state, activeDownAt: after(state.activeDownAt, (skewed - before) as Microseconds) }
}

function hear(
  router: RunningRouter,
  state: Backup,
  advertisement: Event & { kind: 'advertisement' },
  now: Instant,
): Backup {
  // Priority 0 says the active router is leaving: wait out the skew, not three intervals.
  if (advertisement.priority === 0)
    return { ...state, activeDownAt: after(now, skewTime(router, state.activeAdverInterval)) }
  const preempts = router.preemptMode && advertisement.priority < router.priority
  // Discarded, so the timer runs out and we take over; unless we are to hold back for a while.
  if (preempts && (state.preemptAt === undefined || now >= state.preemptAt)) return state
  return { ...state, ...follow(router, learned(router, advertisement), now) }
}

/** Version 2 does not learn: whoever advertises at another interval is not heard at all. */
function learned(router: RunningRouter, { maxAdvertiseInterval }: Event & { kind: 'advertisement' }): Centiseconds {
  return router.version === 2 ? router.advertisementInterval : maxAdvertiseInterval
}

function stopAnswering({ answersUntil: _, ...state }: Backup): Step {
  return { state, effects: [{ kind: 'remove-addresses' }] }
}

// §6.4.3
function stepActive(router: RunningRouter, state: Active, event: Event, now: Instant): Step {
  const slept = event.kind === 'slept' ? event.for : 0
  if (overslept(router, state, (now + slept) as Instant)) {
    const { state: next, effects } = stepBackup(
      router,
      enterBackup(router, router.advertisementInterval, now),
      event,
      now,
    )
    return { state: next, effects: [{ kind: 'remove-addresses' }, ...effects], reason: 'overslept' }
  }
  switch (event.kind) {
    case 'shutdown':
      return resign(router, now, 'initialize', 'shutdown')
    case 'fault':
      return { state: { kind: 'initialize' }, effects: [{ kind: 'remove-addresses' }], reason: 'interface down' }
    case 'tick':
      return activeTimers(router, state, now)
    case 'advertisement':
      return rival(router, state, event, now)
    case 'take-over':
      return advertise(router, { ...state, raisedTo: Math.max(event.priority, priorityNow(router, state)) }, now)
    case 'lower': {
      const { raisedTo: _, ...lowered } = state
      return advertise(router, lowered, now)
    }
    case 'yield':
      if (!router.yielding) return stay(state)
      return resign(event.atOnce ? { ...router, resign: 'now' } : router, now, 'backup', 'yield')
    case 'priority': {
      // Lifted above its priority, it stays lifted by as much: a check that fails after a take-over counts all the same.
      const { raisedTo } = state
      const lifted = raisedTo === undefined ? {} : { raisedTo: clampPriority(raisedTo + router.priority - event.was) }
      return advertise(router, { ...state, ...lifted }, now)
    }
    case 'address-lost':
      // A network manager tidied up. Hosts must not notice: put it back and say where it is.
      return {
        state: announceAgain(state, now),
        effects: [{ kind: 'install-addresses' }, { kind: 'announce-addresses' }],
      }
    case 'startup':
    case 'slept':
      return stay(state)
  }
}

/**
 * We said nothing for as long as the most patient peer waits: frozen, or starved of the processor. Somebody else is
 * active by now, and to send anything would depose it.
 */
function overslept(router: RunningRouter, state: Active, now: Instant): boolean {
  // The one that is due now counts as well; and a timer may always be late by half an interval.
  const missing = Math.max(router.downMultiplier - 1, 0.5)
  return now >= state.adverAt + missing * ofCentiseconds(router.advertisementInterval)
}

function activeTimers(router: RunningRouter, state: Active, now: Instant): Step {
  const effects: Effect[] = []
  let next = state
  if (now >= state.adverAt) {
    const advertised = advertise(router, next, now)
    next = advertised.state as Active
    effects.push(...advertised.effects)
  }
  const announceAt = nextAnnouncement(router.announce, state)
  if (announceAt !== undefined && now >= announceAt) {
    next = { ...next, announced: next.announced + 1 }
    effects.push({ kind: 'announce-addresses' })
  }
  return { state: next, effects }
}

function rival(
  router: RunningRouter,
  state: Active,
  advertisement: Event & { kind: 'advertisement' },
  now: Instant,
): Step {
  const hasJustReplied = state.repliedAt !== undefined && now < after(state.repliedAt, replyInterval)
  if (advertisement.priority === 0)
    return hasJustReplied ? stay(state) : advertise(router, { ...state, repliedAt: now }, now)
  const ours = priorityNow(router, state)
  const tie = compareAddresses(advertisement.source, router.primaryAddress)
  if (advertisement.priority > ours || (advertisement.priority === ours && tie > 0)) {
    const backup = enterBackup(router, learned(router, advertisement), now)
    // Two that answer from one MAC address would have every switch between them go back and forth.
    if (router.virtualMac) return { state: backup, effects: [{ kind: 'remove-addresses' }], reason: 'outranked' }
    return { state: { ...backup, answersUntil: after(now, handoverLinger) }, effects: [], reason: 'outranked' }
  }
  // RFC 3768 §6.4.3 discards it in silence; keepalived answers in either version.
  if (router.version === 2 && router.profile === 'strict') return stay(state)
  // RFC 5798 only discarded it. Answering at once makes the other step back; Adver_Timer keeps its pace.
  if (hasJustReplied) return stay(state)
  const answered: Active = { ...state, repliedAt: now }
  // It has told hosts and switches that the addresses are over there, so they need to be told again.
  const effects: Effect[] = [{ kind: 'send-advertisement', priority: ours }, { kind: 'announce-addresses' }]
  return { state: state.announced >= router.announce.repeat ? announceAgain(answered, now) : answered, effects }
}

/** §6.4.3 Shutdown, and what it leaves open: until the successor answers, somebody must. */
function resign(router: RunningRouter, now: Instant, afterwards: Resigning['afterwards'], reason: string): Step {
  const farewell: Effect = { kind: 'send-advertisement', priority: 0 }
  if (router.resign === 'now') {
    const state: State =
      afterwards === 'backup' ? enterBackup(router, router.advertisementInterval, now) : { kind: afterwards }
    return { state, effects: [farewell, { kind: 'remove-addresses' }], reason }
  }
  const answersUntil = after(now, longestResignation(router))
  return { state: { kind: 'resigning', answersUntil, successorHeard: false, afterwards }, effects: [farewell], reason }
}

/** How long a router that leaves goes on answering when no successor is heard. */
export function longestResignation(router: VirtualRouter): Microseconds {
  if (router.resign === 'now') return 0 as Microseconds
  // Priority 1 waits longest: 255/256 of the skew's whole. All of it leaves room for its timer to be late.
  const whole = router.version === 2 ? milliseconds(1_000) : ofCentiseconds(router.advertisementInterval)
  return (whole + handoverLinger) as Microseconds
}

function stepResigning(router: RunningRouter, state: Resigning, event: Event, now: Instant): Step {
  const atOnce = event.kind === 'yield' && event.atOnce === true
  const isOver = event.kind === 'tick' && now >= state.answersUntil
  if (isOver || event.kind === 'fault' || event.kind === 'slept' || atOnce) {
    const reason = state.successorHeard ? 'successor took over' : 'no successor'
    const next: State =
      state.afterwards === 'backup' && event.kind !== 'fault'
        ? enterBackup(router, router.advertisementInterval, now)
        : { kind: 'initialize' }
    return { state: next, effects: [{ kind: 'remove-addresses' }], reason }
  }
  if (event.kind === 'shutdown') return stay({ ...state, afterwards: 'initialize' })
  if (event.kind === 'startup') return stay({ ...state, afterwards: 'backup' })
  const successor = event.kind === 'advertisement' && event.priority > 0 && !state.successorHeard
  return stay(successor ? { ...state, successorHeard: true, answersUntil: after(now, handoverLinger) } : state)
}

function becomeActive(router: RunningRouter, now: Instant, reason: string, raisedTo?: number): Step {
  const raised = raisedTo !== undefined && raisedTo > router.priority ? { raisedTo } : {}
  const active: Active = {
    kind: 'active',
    adverAt: after(now, ofCentiseconds(router.advertisementInterval)),
    announced: 1,
    announcedFrom: now,
    ...raised,
  }
  // The advertisement goes first, so that the old active steps back before caches move (F-33).
  const effects: Effect[] = [
    { kind: 'send-advertisement', priority: priorityNow(router, active) },
    { kind: 'install-addresses' },
    { kind: 'announce-addresses' },
  ]
  return { state: active, effects, reason }
}

function advertise(router: RunningRouter, state: Active, now: Instant): Step {
  // From the deadline and not from now, or each late wake-up would stretch the period; but never to catch up.
  const interval = ofCentiseconds(router.advertisementInterval)
  const onTime = now >= state.adverAt && now < state.adverAt + interval / 2
  const adverAt = after(onTime ? state.adverAt : now, interval)
  return {
    state: { ...state, adverAt },
    effects: [{ kind: 'send-advertisement', priority: priorityNow(router, state) }],
  }
}

/** A new stay in Backup; a configured delay holds back our preemption from here on. */
function enterBackup(router: RunningRouter, interval: Centiseconds, now: Instant): Backup {
  const backup = follow(router, interval, now)
  return router.preemptDelay > 0 ? { ...backup, preemptAt: after(now, router.preemptDelay) } : backup
}

/** Backup to an active router that advertises at `interval`. */
function follow(router: RunningRouter, interval: Centiseconds, now: Instant): Backup {
  return {
    kind: 'backup',
    activeAdverInterval: interval,
    activeDownAt: after(now, activeDownInterval(router, interval)),
  }
}

/** Active_Down_Interval (§6.1): three intervals of silence (or as many as configured), and the skew. */
export function activeDownInterval(router: VirtualRouter, activeAdverInterval: Centiseconds): Microseconds {
  const silence = router.downMultiplier * ofCentiseconds(activeAdverInterval)
  return (silence + skewTime(router, activeAdverInterval)) as Microseconds
}

/**
 * Skew_Time (§6.1): the higher the priority, the shorter the wait, so the best backup moves first. In version 2 it is
 * a part of a second, whatever the interval (RFC 3768 §6.1).
 */
export function skewTime(router: VirtualRouter, activeAdverInterval: Centiseconds): Microseconds {
  const whole = router.version === 2 ? milliseconds(1_000) : ofCentiseconds(activeAdverInterval)
  return (((256 - router.priority) * whole) / 256) as Microseconds
}

/** What an advertisement of a router that may leave can say: 0 and 255 have meanings of their own. */
export function clampPriority(priority: number): number {
  return Math.min(254, Math.max(1, priority))
}

function announceAgain(state: Active, now: Instant): Active {
  return { ...state, announced: 1, announcedFrom: now }
}

function stay(state: State): Step {
  return { state, effects: [] }
}
