/** Logs on Node: one JSON object a line on standard error, one per event; the same for people when it is a terminal. */
import pino from 'pino'
import type { Log } from '../core/ports.ts'

/** `fields` go into every line. */
export async function createLog(
  fields: Readonly<Record<string, string>> = {},
  stream: { readonly fd: number; readonly isTTY?: boolean } = process.stderr,
): Promise<Log> {
  const options = {
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  // Synchronous: the last lines before an exit are the ones that matter, and nothing is logged in the path of a move.
  const logger = pino(
    options,
    stream.isTTY ? await prettyStream(stream.fd) : pino.destination({ dest: stream.fd, sync: true }),
  )
  return (level, entry) => logger[level](entry)
}

async function prettyStream(fd: number) {
  const { default: pretty } = await import('pino-pretty')
  const format = { messageFormat: '{event} {msg}', translateTime: 'SYS:HH:MM:ss.l', singleLine: true, hideObject: true }
  return pretty({ destination: fd, sync: true, colorize: true, ...format })
}
