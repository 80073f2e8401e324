/** The simulation's only clock: events in order of time, and of being scheduled where times are equal. */

export type Simulated = {
  /** Microseconds since the simulation began. */
  readonly now: () => number
  /** Runs `work` at an instant; not before now. Returns how to cancel it. */
  readonly at: (instant: number, work: () => void) => () => void
  readonly after: (microseconds: number, work: () => void) => () => void
  /** Runs the next event. False when there is none before `end`. */
  readonly runNext: (end: number) => boolean
}

type Entry = { readonly instant: number; readonly order: number; work: (() => void) | undefined }

export const millisecond = 1_000
export const second = 1_000_000

export function createTime(): Simulated {
  const heap: Entry[] = []
  let now = 0
  let order = 0

  const at = (instant: number, work: () => void): (() => void) => {
    const entry: Entry = { instant: Math.max(now, instant), order, work }
    order += 1
    push(heap, entry)
    return () => {
      entry.work = undefined
    }
  }

  return {
    now: () => now,
    at,
    after: (microseconds, work) => at(now + microseconds, work),
    runNext(end) {
      for (;;) {
        const first = heap[0]
        if (first === undefined || first.instant > end) return false
        pop(heap)
        if (first.work === undefined) continue
        now = first.instant
        first.work()
        return true
      }
    },
  }
}

const before = (a: Entry, b: Entry): boolean => a.instant < b.instant || (a.instant === b.instant && a.order < b.order)

function push(heap: Entry[], entry: Entry): void {
  heap.push(entry)
  for (let child = heap.length - 1; child > 0; ) {
    const parent = (child - 1) >> 1
    if (!before(heap[child]!, heap[parent]!)) return
    swap(heap, child, parent)
    child = parent
  }
}

function pop(heap: Entry[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  heap[0] = last
  for (let parent = 0; ; ) {
    const [left, right] = [2 * parent + 1, 2 * parent + 2]
    let least = parent
    if (left < heap.length && before(heap[left]!, heap[least]!)) least = left
    if (right < heap.length && before(heap[right]!, heap[least]!)) least = right
    if (least === parent) return
    swap(heap, least, parent)
    parent = least
  }
}

function swap(heap: Entry[], a: number, b: number): void {
  const held = heap[a]!
  heap[a] = heap[b]!
  heap[b] = held
}
