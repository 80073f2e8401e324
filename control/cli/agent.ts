/** `holdfast agent --config FILE`. */
import { resolve } from 'node:path'
import { runAgent } from '../../node-agent/main.ts'
import type { Reread } from '../../node-agent/reload.ts'
import { ConfigError, describeProblem } from '../config/config-file.ts'
import { createLog, endUnread } from '../node/log.ts'
import { CommandError, UsageError } from './failure.ts'
import { readAgentFile, readText } from './files.ts'

export async function runAgentCommand({ config: file }: { config: string }): Promise<void> {
  const config = readAgentFile(file, readText(file), { elsewhere: false })
  if (process.platform !== 'linux')
    throw new CommandError('the agent needs Linux: VRRP uses its raw sockets and rtnetlink')
  const log = await createLog({ node: config.node })
  const warn = ({ warnings }: typeof config): void => {
    for (const warning of warnings) log('warn', { event: 'config-warning', msg: describeProblem(warning) })
  }
  warn(config)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())
  const hangups = heedHangups()
  process.exitCode = await runAgent({
    config,
    log,
    signal: stop.signal,
    reread: () => {
      const read = reread(resolve(file))
      if ('config' in read) warn(read.config)
      return read
    },
    onHangup: hangups.heedBy,
  })
  endUnread()
}

/** From the beginning, since a signal that nobody heeds ends the process; one that comes too early is heeded later. */
function heedHangups() {
  let early = false
  let heed = (): void => {
    early = true
  }
  process.on('SIGHUP', () => heed())
  return {
    heedBy(reload: () => void): void {
      heed = reload
      if (early) reload()
    },
  }
}

const reread = (file: string): ReturnType<Reread> => {
  try {
    return { config: readAgentFile(file, readText(file), { elsewhere: false }) }
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems.map(describeProblem) }
    if (error instanceof UsageError) return { problems: [error.message] }
    throw error
  }
}
