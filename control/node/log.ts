/**
 * Logs on Node: one JSON object a line on standard error, one per event; the same for people when it is a terminal.
 *
 * Nobody waits for whoever reads them: what a full pipe does not take is kept, up to a bound, and beyond it left out and
 * counted. A file and a terminal take every line at once.
 */
import pino from 'pino'
import type { Log } from '../core/ports.ts'

export type LogStream = Pick<NodeJS.WritableStream, 'on' | 'writable'> & {
  readonly fd: number
  readonly isTTY?: boolean
  /** What was not taken yet. */
  readonly writableLength: number
  write(line: string): boolean
}

/** Characters: some thousand lines. */
const mostWaiting = 2 ** 20

/** `fields` go into every line. */
export async function createLog(
  fields: Readonly<Record<string, string>> = {},
  stream: LogStream = process.stderr,
): Promise<Log> {
  const options = {
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const told = (lines: number): void => {
    const msg = `${lines} lines are missing here: whoever reads this log did not, for too long`
    logger.warn({ event: 'log-dropped', lines, msg })
  }
  const logger = pino(options, stream.isTTY ? await prettyStream(stream.fd) : bounded(stream, told))
  return (level, entry) => logger[level](entry)
}

/** `told`: how many lines were left out, once there is room again. */
function bounded(stream: LogStream, told: (lines: number) => void): { write(line: string): void } {
  let dropped = 0
  stream.on('drain', () => {
    const lines = dropped
    dropped = 0
    if (lines > 0) told(lines)
  })
  // The reader is gone, and with it everybody who could be told.
  stream.on('error', () => undefined)
  return {
    write: (line) => {
      if (stream.writableLength > mostWaiting) dropped += 1
      else if (stream.writable) stream.write(line)
    },
  }
}

/** How long the end of a process waits for whoever reads its log. */
const patienceMs = 2_000

/**
 * For a process that has nothing left to do: what of its log was not read yet keeps it alive, as it should, but not for
 * ever.
 */
export function endUnread(stream: Pick<LogStream, 'writableLength'> = process.stderr): void {
  if (stream.writableLength > 0) setTimeout(() => process.exit(), patienceMs).unref()
}

async function prettyStream(fd: number) {
  const { default: pretty } = await import('pino-pretty')
  const format = { messageFormat: '{event} {msg}', translateTime: 'SYS:HH:MM:ss.l', singleLine: true, hideObject: true }
  return pretty({ destination: fd, sync: true, colorize: true, ...format })
}
