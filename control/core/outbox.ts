/**
 * Commands for nodes that have no open link: handed out with the answer to their next post.
 *
 * Only the newest of each kind is kept, and a `lower` takes the place of the `take-over` it undoes, so that nobody
 * acts on what was decided otherwise since.
 */
import type { Command } from '../contract.ts'

export type Outbox = {
  put(node: string, command: Command): void
  /** Takes everything that waits for the node. */
  take(node: string): Command[]
  clear(node: string): void
}

/** Of two commands about the same subject, only the newer one is meant. */
const subjects: Readonly<Record<Command['kind'], string>> = {
  ask: 'ask',
  'take-over': 'priority',
  lower: 'priority',
  yield: 'yield',
  owner: 'owner',
}

export function createOutbox(): Outbox {
  const waiting = new Map<string, Map<string, Command>>()
  const take = (node: string): Command[] => {
    const commands = [...(waiting.get(node)?.values() ?? [])]
    waiting.delete(node)
    return commands
  }
  return {
    put: (node, command) => {
      const mine = waiting.get(node) ?? new Map<string, Command>()
      waiting.set(node, mine)
      const key = `${command.service} ${subjects[command.kind]}`
      mine.delete(key)
      mine.set(key, command)
    },
    take,
    clear: (node) => void waiting.delete(node),
  }
}
