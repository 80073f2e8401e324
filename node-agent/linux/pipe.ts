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
  let backlog: Uint8Array = new Uint8Array(0)
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
      const bytes = Buffer.concat([backlog, new TextEncoder().encode(text)])
      if (bytes.length > largestBacklog) return
      backlog = bytes.subarray(write(fd, bytes))
    },
    isFull: () => backlog.length > 0,
    flush() {
      if (backlog.length > 0) backlog = backlog.subarray(write(fd, backlog))
    },
  }
}
