/** `holdfast control --config FILE`. */
import { runControl } from '../node/main.ts'
import { UsageError } from './failure.ts'
import { readText } from './files.ts'

export async function runControlCommand({ config: configFile }: { config?: string }): Promise<void> {
  if (configFile === undefined) throw new UsageError('control needs its configuration: give --config <file>')
  // For its error, which names the file and what to do.
  readText(configFile)
  const control = await runControl({ configFile })
  await control.closed
}
