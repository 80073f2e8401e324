/** Two uses of rtnetlink: to ask and change (request, answers), and to hear what others change (events). */
import {
  askForAcknowledgement,
  concatenate,
  decodeMessages,
  errnoOf,
  type NetlinkMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../wire/netlink.ts'
import { AF_NETLINK, NETLINK_ROUTE, SO_RCVBUF, SOCK_CLOEXEC, SOCK_RAW, SOL_SOCKET } from './constants.ts'
import { bind, close, pollSetOf, ppoll, receive, SystemError, sendto, setsockopt, socket } from './libc.ts'
import { createReceiver } from './messages.ts'
import { int, netlinkAddress } from './socket-address.ts'

export type NetlinkSocket = {
  readonly fd: number
  /** Sends messages as one datagram, which the kernel does in order; their errnos, 0 for success. */
  readonly batch: (messages: readonly ((sequence: number) => Uint8Array)[]) => number[]
  /** Asks for a list; its messages. */
  readonly dump: (message: (sequence: number) => Uint8Array) => NetlinkMessage[]
  /** Events that are queued. Undefined when the kernel dropped some: everything must be listed anew. */
  readonly drain: () => NetlinkMessage[] | undefined
  readonly close: () => void
}

const toKernel = netlinkAddress(0)

/** The kernel answers a request before `sendto` returns; this only bounds a kernel that does not. */
const answerTimeoutUs = 1_000_000

/** Largest part of an answer; the kernel fills at most 32 KiB. */
const buffer = new Uint8Array(64 * 1024)

/** A batch is split so that an answer to each of its messages fits into the receive buffer: all may fail. */
const largestBatch = 512

/** `groups`: RTMGRP bits of the events to hear; 0 for a socket that only asks. */
export function openNetlinkSocket(groups: number): NetlinkSocket {
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
  setsockopt(fd, { level: SOL_SOCKET, name: SO_RCVBUF, what: 'set the netlink buffer' }, int(1 << 20))
  bind(fd, netlinkAddress(groups))
  const poll = pollSetOf([fd])
  let sequence = 0

  const answers = (): NetlinkMessage[] => {
    let length = receive(fd, buffer)
    if (length === undefined) {
      ppoll(poll, answerTimeoutUs)
      length = receive(fd, buffer)
    }
    if (length === undefined) throw new Error('rtnetlink did not answer within a second')
    return decodeMessages(buffer.subarray(0, length))
  }

  const batchOf = (messages: readonly ((sequence: number) => Uint8Array)[]): number[] => {
    const first = sequence + 1
    sequence += messages.length
    const encoded = messages.map((message, i) => message(first + i))
    // The kernel takes them one after the other and answers each that fails; so the last one's answer ends it all.
    askForAcknowledgement(encoded.at(-1)!)
    sendto(fd, concatenate(encoded), toKernel)
    const results = new Map<number, number>()
    while (!results.has(sequence)) {
      for (const answer of answers()) {
        if (answer.type === NLMSG_ERROR && answer.sequence >= first) results.set(answer.sequence, errnoOf(answer))
      }
    }
    return messages.map((_, i) => results.get(first + i) ?? 0)
  }

  return {
    fd,
    batch(messages) {
      const results: number[] = []
      for (let at = 0; at < messages.length; at += largestBatch)
        results.push(...batchOf(messages.slice(at, at + largestBatch)))
      return results
    },
    dump(message) {
      sequence += 1
      sendto(fd, message(sequence), toKernel)
      const listed: NetlinkMessage[] = []
      for (;;) {
        for (const answer of answers()) {
          if (answer.sequence !== sequence) continue
          if (answer.type === NLMSG_DONE) return listed
          if (answer.type === NLMSG_ERROR) throw new SystemError('list through rtnetlink', errnoOf(answer))
          listed.push(answer)
        }
      }
    },
    drain: () => drainEvents(fd),
    close: () => close(fd),
  }
}

/** Events are short, and hundreds come at once when we have changed as many addresses ourselves. */
const events = createReceiver({ slots: 64, size: 8 * 1024 })

function drainEvents(fd: number): NetlinkMessage[] | undefined {
  const heard: NetlinkMessage[] = []
  let lost = false
  for (;;) {
    try {
      const received = events.receive(fd)
      for (let nth = 0; nth < received; nth += 1) {
        lost ||= events.isCut(nth)
        heard.push(...decodeMessages(events.message(nth)))
      }
      if (received < events.slots) return lost ? undefined : heard
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ENOBUFS') throw error
      lost = true
    }
  }
}
