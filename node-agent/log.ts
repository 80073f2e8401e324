/** Logs: one JSON object a line on stderr, one per event; the same for people when stderr is a terminal. */
import pino, { type Logger } from 'pino'

export type Log = Logger

/** `fields` go into every line. Each call names its `event`: `log.info({ event: 'started', … }, 'sentence')`. */
export async function createLog(fields: Readonly<Record<string, string>>): Promise<Log> {
  const options = { base: fields, timestamp: pino.stdTimeFunctions.isoTime }
  if (!process.stderr.isTTY) return pino(options, pino.destination({ dest: 2, sync: true }))
  const { default: pretty } = await import('pino-pretty')
  const stream = pretty({
    destination: 2,
    sync: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  })
  return pino(options, stream)
}
