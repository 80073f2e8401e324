/**
 * A backup of the running database: copied into a file beside it, which is nameless before the first byte leaves, so
 * that it is gone with this process at the latest.
 */
import { closeSync, createReadStream, fstatSync, openSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { ProblemError } from '../problem.ts'
import type { Backup } from '../routes/context.ts'
import type { Database } from './node-sqlite.ts'

/** Copies are named so until they are complete. */
const mark = '.copy-'

export function createBackups(file: string, database: Pick<Database, 'copyTo'>): () => Promise<Backup> {
  const beside = file === ':memory:' ? join(tmpdir(), 'holdfast') : resolve(file)
  removeLeftovers(beside)
  let running = false
  return async () => {
    if (running) {
      throw new ProblemError({ status: 409, code: 'backup-running', detail: 'another backup is being made: try again' })
    }
    running = true
    const copy = `${beside}${mark}${crypto.randomUUID()}`
    try {
      // Made first, so that nobody else can read it at any time.
      const made = openSync(copy, 'wx', 0o600)
      closeSync(made)
      await database.copyTo(copy)
      const open = openSync(copy, 'r')
      const stream = createReadStream('', { fd: open })
      return { bytes: fstatSync(open).size, stream: Readable.toWeb(stream) as ReadableStream<Uint8Array> }
    } finally {
      running = false
      rmSync(copy, { force: true })
      rmSync(`${copy}-journal`, { force: true })
    }
  }
}

/** Of a process that was killed while it copied. */
function removeLeftovers(beside: string): void {
  const folder = dirname(beside)
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${basename(beside)}${mark}`)) rmSync(join(folder, name), { force: true })
  }
}
