#!/usr/bin/env node
/**
 * The one program: `holdfast COMMAND`. Here stand the commands and their flags; each command's work is in a file of
 * its own that is imported only when the command runs, so that `--help` and `status` start fast.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
 */
import './compile-cache.mjs'
import { Argument, Command, CommanderError, Option } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { describeFailure, UsageError } from './failure.ts'

const url = () => new Option('--url <url>', 'control to talk to').env('HOLDFAST_URL')
const token = () => new Option('--token <token>', 'token to authenticate with').env('HOLDFAST_TOKEN')
const json = () => new Option('--json', 'print JSON instead of text')

function program(): Command {
  const holdfast = new Command('holdfast')
    .description('Keeps a service reachable at one address while machines, links, sites and clouds fail.')
    .version(manifest.version, '-V, --version', 'print the version')
    .showSuggestionAfterError()
    .showHelpAfterError('Try holdfast --help.')
    .exitOverride()

  holdfast
    .command('agent')
    .description('Run the node agent until SIGTERM: it then resigns, removes its addresses and exits 0.')
    .requiredOption('--config <file>', 'the agent’s configuration')
    .action(async (options) => (await import('./agent.ts')).runAgentCommand(options))

  holdfast
    .command('control')
    .description('Run control on this machine until SIGTERM.')
    .requiredOption('--config <file>', 'control’s configuration')
    .action(async (options) => (await import('./control.ts')).runControlCommand(options))

  holdfast
    .command('check-config')
    .description('Validate agent and control configurations: every mistake with file, line, key and remedy.')
    .argument('<file...>')
    .option('--elsewhere', 'the files are for other machines: do not look for their interfaces here')
    .addOption(json())
    .action(async (files, options) => (await import('./check-config.ts')).runCheckConfigCommand(files, options))

  holdfast
    .command('status')
    .description('Show services: of the local agent (--socket), or of control (--url).')
    .argument('[service]')
    .addOption(new Option('--socket <path>', 'the local agent’s socket').env('HOLDFAST_SOCKET'))
    .addOption(url())
    .addOption(token())
    .addOption(json())
    .action(async (service, options) => (await import('./status.ts')).runStatusCommand(service, options))

  holdfast
    .command('switchover')
    .description('Move a service to another node on purpose, without losing a packet.')
    .argument('<service>')
    .option('--to <node>', 'the node to move to; default: the best healthy backup')
    .option('--reason <text>', 'why, for the audit trail')
    .option('--wait', 'return when the move is complete everywhere')
    .addOption(url())
    .addOption(token())
    .addOption(json())
    .action(async (service, options) => (await import('./switchover.ts')).runSwitchoverCommand(service, options))

  holdfast
    .command('events')
    .description('Print the audit trail: what was decided, by whom or from which report, and what came of it.')
    .option('--since <id>', 'only events after this one')
    .addOption(url())
    .addOption(token())
    .addOption(json())
    .action(async (options) => (await import('./events.ts')).runEventsCommand(options))

  holdfast
    .command('demo')
    .description('The whole system on this machine, in network namespaces, with a cloud that runs locally.')
    .option('--once', 'end after the script; exit 0 only if every step held')
    .addOption(json())
    .addOption(new Option('--interval <duration>', 'advertisement interval').default('100ms'))
    .action(async (options) => (await import('./demo.ts')).runDemoCommand(options))

  holdfast
    .command('import')
    .description('Write an agent configuration from keepalived’s, and say what it could not carry over.')
    .argument('<file>', 'keepalived.conf; what it includes is read too')
    .option('--output <file>', 'write here instead of to standard output')
    .option('--force', 'replace the output file if it exists')
    .option('--config-id <id>', 'whose @id lines apply, as keepalived’s -i; default: this machine’s name')
    .addOption(json())
    .action(async (file, options) => (await import('./import.ts')).runImportCommand(file, options))

  holdfast
    .command('completion')
    .description('Print a script that completes commands and flags when you press the tab key.')
    .addArgument(new Argument('<shell>', 'the shell to complete in').choices(['bash', 'zsh', 'fish']))
    .action(async (shell) => (await import('./completion.ts')).runCompletionCommand(shell, holdfast))

  for (const command of holdfast.commands)
    command.exitOverride().showHelpAfterError(`Try holdfast ${command.name()} --help.`)
  return holdfast
}

async function main(): Promise<number> {
  try {
    const holdfast = program()
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
