/** `holdfast agent --config FILE`. */
import { runAgent } from '../../node-agent/main.ts'
import { createLog, endUnread } from '../node/log.ts'
import { CommandError } from './failure.ts'
import { readAgentFile, readText } from './files.ts'

export async function runAgentCommand({ config: file }: { config: string }): Promise<void> {
  const config = readAgentFile(file, readText(file), { elsewhere: false })
  if (process.platform !== 'linux')
    throw new CommandError('the agent needs Linux: VRRP uses its raw sockets and rtnetlink')
  const log = await createLog({ node: config.node })
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())
  process.on('SIGHUP', () =>
    log('warn', { event: 'reload-refused', msg: 'reloading is not in this version: restart the agent' }),
  )
  process.exitCode = await runAgent(config, log, stop.signal)
  endUnread()
}
