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

// Whoever reads our output may leave early (`| head`); that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
process.exitCode = await main()
