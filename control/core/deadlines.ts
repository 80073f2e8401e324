/** The earliest of many deadlines that keep moving: a binary heap whose outdated entries are dropped when they surface. */

export type Deadlines<Key> = {
  /** Null: the key waits for nothing. */
  set(key: Key, at: number | null): void
  /** The earliest deadline; null when nobody waits. */
  first(): number | null
  /** Takes every key whose deadline has come, each once. */
  take(now: number): Key[]
}

type Entry<Key> = { readonly at: number; readonly key: Key }

export function createDeadlines<Key>(): Deadlines<Key> {
  const current = new Map<Key, number>()
  const heap: Entry<Key>[] = []

  const isCurrent = ({ key, at }: Entry<Key>): boolean => current.get(key) === at
  const top = (): Entry<Key> | undefined => {
    while (heap[0] !== undefined && !isCurrent(heap[0])) pop(heap)
    return heap[0]
  }
  return {
    set: (key, at) => {
      if (at === null) {
        current.delete(key)
      } else if (current.get(key) !== at) {
        current.set(key, at)
        push(heap, { at, key })
      }
    },
    first: () => top()?.at ?? null,
    take: (now) => {
      const due: Key[] = []
      for (let entry = top(); entry !== undefined && entry.at <= now; entry = top()) {
        pop(heap)
        current.delete(entry.key)
        due.push(entry.key)
      }
      return due
    },
  }
}

function push<Key>(heap: Entry<Key>[], entry: Entry<Key>): void {
  let at = heap.push(entry) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]!.at <= entry.at) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = entry
}

function pop<Key>(heap: Entry<Key>[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) break
    const smaller = left + 1 < heap.length && heap[left + 1]!.at < heap[left]!.at ? left + 1 : left
    if (heap[smaller]!.at >= last.at) break
    heap[at] = heap[smaller]!
    at = smaller
  }
  heap[at] = last
}

/** The first of those that there are; null when there is none. */
export function earliest(deadlines: readonly (number | null)[]): number | null {
  const due = deadlines.filter((at) => at !== null)
  return due.length === 0 ? null : Math.min(...due)
}
