#!/usr/bin/env node
/**
 * The one program: `holdfast COMMAND`. `program.ts` has the commands; here they are run, and their failures told.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
 */
import './compile-cache.mjs'
import { CommanderError } from 'commander'
import { describeFailure, UsageError } from './failure.ts'
import { createProgram } from './program.ts'

async function main(): Promise<number> {
  try {
    const holdfast = createProgram()
    if (process.argv.length <= 2) holdfast.help({ error: true })
    await holdfast.parseAsync()
    return Number(process.exitCode ?? 0)
  } catch (error) {
    // Commander has printed its own message; help and version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    process.stderr.write(`${describeFailure(error)}\n`)
    return error instanceof UsageError || (error as Error).name === 'ConfigError' ? 2 : 1
  }
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    // A daemon's log looks after itself: nobody who reads it ends the daemon by leaving.
    if (stream.listenerCount('error') > 1) return
    // Whoever reads our output may leave early (`| head`); that is no failure of ours. A full disk is one.
    if (code === 'EPIPE') process.exit(process.exitCode ?? 0)
    if (stream === process.stdout) process.stderr.write(`holdfast: its output cannot be written: ${message}\n`)
    process.exit(1)
  })
}
process.exitCode = await main()
