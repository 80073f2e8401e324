/**
 * `holdfast control backup FILE`: the database of the control that runs, in a file.
 *
 * Written under another name first, checked, and only then given its own, so that FILE is never half a backup.
 */
import { createWriteStream, existsSync, linkSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DatabaseError, verifyDatabase } from '../node/node-sqlite.ts'
import { type Access, streamControl } from './client.ts'
import { CommandError, UsageError } from './failure.ts'

type Options = Access & { readonly force?: boolean }

export async function runBackupCommand(file: string, { force = false, ...access }: Options): Promise<void> {
  if (!existsSync(dirname(resolve(file)))) throw new UsageError(`${file}: there is no such folder`)
  refuseExisting(file, force)
  const stream = await streamControl(access, '/v1/backup', 'application/vnd.sqlite3')
  const partial = `${file}.partial-${crypto.randomUUID()}`
  try {
    await pipeline(stream, createWriteStream(partial, { flags: 'wx', mode: 0o600 }))
    verifyDatabase(partial)
    await flush(partial)
    give(partial, file, force)
    await flush(dirname(resolve(file)))
  } catch (error) {
    throw failureOf(error, file)
  } finally {
    rmSync(partial, { force: true })
  }
  process.stdout.write(`${file}: the database of control, checked\n`)
}

function refuseExisting(file: string, force: boolean): void {
  if (!force && existsSync(file)) throw new UsageError(`${file}: is there already: name another file, or give --force`)
}

/** Without `force` a file that has appeared meanwhile is not replaced: a link, unlike a new name, fails then. */
function give(partial: string, file: string, force: boolean): void {
  if (force) renameSync(partial, file)
  else linkSync(partial, file)
}

async function flush(path: string): Promise<void> {
  const handle = await open(path)
  await handle.sync()
  await handle.close()
}

function failureOf(error: unknown, file: string): Error {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EEXIST') return new UsageError(`${file}: is there already: name another file, or give --force`)
  if (code === 'ENOSPC') return new CommandError(`${file}: the disk is full: make room, or name a file elsewhere`)
  if (error instanceof DatabaseError) {
    return new CommandError(`${file}: what control sent is no whole backup, so it was thrown away: try again`)
  }
  return new CommandError(`${file}: ${message}`)
}
