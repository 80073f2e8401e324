/** The supervisor's pipe, read and written without ever waiting for the other end. */
import { read, setNonBlocking, write } from './libc.ts'

export type Pipe = {
  readonly fd: number
  /** Text that has arrived; undefined once the other end is gone. */
  readonly drain: () => string | undefined
  /** Keeps what does not fit now until there is room. */
  readonly write: (text: string) => void
  /** Something is kept: it is worth waiting until the other end has made room, to `flush`. */
  readonly isFull: () => boolean
  readonly flush: () => void
}

/** A supervisor that reads nothing for this long is stuck; what it misses is repeated in the next status. */
const largestBacklog = 4 * 1024 * 1024

export function openPipe(fd: number): Pipe {
  setNonBlocking(fd)
  const buffer = new Uint8Array(64 * 1024)
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  /** What did not fit, oldest first; of the first one some may have left. */
  let backlog: Uint8Array[] = []
  let kept = 0
  const flush = (): void => {
    let gone = 0
    for (const bytes of backlog) {
      const written = write(fd, bytes)
      kept -= written
      if (written < bytes.length) {
        backlog[gone] = bytes.subarray(written)
        break
      }
      gone += 1
    }
    backlog = backlog.slice(gone)
  }
  return {
    fd,
    drain() {
      let text = ''
      for (;;) {
        const length = read(fd, buffer)
        if (length === 0) return text === '' ? undefined : text
        if (length === undefined) return text
        text += decoder.decode(buffer.subarray(0, length), { stream: true })
      }
    },
    write(text) {
      const bytes = encoder.encode(text)
      if (kept + bytes.length > largestBacklog) return
      backlog.push(bytes)
      kept += bytes.length
      // What is behind a full pipe waits for room without asking for it each time.
      if (backlog.length === 1) flush()
    },
    isFull: () => backlog.length > 0,
    flush,
  }
}
