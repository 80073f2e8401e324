/**
 * The commands and their flags. Each command's work is in a file of its own that is imported only when the command
 * runs, so that `--help` and `status` start fast. What their help teaches beside the flags is in `manual.ts`.
 */
import { Argument, Command, Help, Option } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { UsageError } from './failure.ts'
import { footer, manual, type Page, type PageName } from './manual.ts'
import type { NameKind } from './names.ts'

const url = () => new Option('--url <url>', 'control to talk to').env('HOLDFAST_URL')
const token = () => new Option('--token <token>', 'token to authenticate with').env('HOLDFAST_TOKEN')
const socket = () => new Option('--socket <path>', 'the local agent’s socket').env('HOLDFAST_SOCKET')
const json = () => new Option('--json', 'print JSON instead of text')
const reason = () => new Option('--reason <text>', 'why, for the audit trail')

const nameKinds: readonly NameKind[] = ['services', 'nodes', 'operations']

export function createProgram(): Command {
  const holdfast = new Command('holdfast')
    .description('Keeps a service reachable at one address while machines, links, sites and clouds fail.')
    .usage('COMMAND [flags]')
    .version(manifest.version, '-V, --version', 'print the version')
    .configureHelp({ subcommandTerm: termOf, visibleOptions: sortedOptions })
    .helpCommand(false)
    .showSuggestionAfterError()
    // One line that begins as all others do.
    .configureOutput({
      outputError: (text, write) => write(`${text.replace('error: ', 'holdfast: ').trim().replaceAll('\n', ' ')}\n`),
    })
    .exitOverride()
    .addHelpText('after', '\nholdfast COMMAND --help teaches a command: what it is for, examples, exit codes.')
  addLooking(holdfast)
  addOperating(holdfast)
  addAdministering(holdfast)
  addRunning(holdfast)
  addHidden(holdfast)
  for (const command of allBelow(holdfast)) {
    command.helpCommand(false).showHelpAfterError(`Try ${pathOf(command)} --help.`)
  }
  return holdfast
}

function termOf(command: Command): string {
  const wanted = command.registeredArguments.map((argument) => {
    const name = argument.name().toUpperCase()
    return argument.required ? name : `[${name}]`
  })
  return [command.name(), ...wanted].join(' ')
}

/** A command's own flags come first in its help, then those that many have. */
function sortedOptions(command: Command): Option[] {
  const rank = ({ long, envVar }: Option): number => {
    if (long === '--help') return 3
    return envVar !== undefined ? 2 : long === '--json' ? 1 : 0
  }
  return new Help().visibleOptions(command).toSorted((a, b) => rank(a) - rank(b))
}

function allBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allBelow)]
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

/** A command with its page of the manual. */
function add(parent: Command, name: string, key: PageName): Command {
  const page: Page = manual[key]
  const command = parent.command(name).summary(page.summary).description(page.description.replaceAll('\n', ' '))
  return command.addHelpText('after', () =>
    footer(
      page,
      command.options.some(({ envVar }) => envVar !== undefined),
    ),
  )
}

/** One that talks to control. */
function addRemote(parent: Command, name: string, key: PageName = name as PageName): Command {
  return add(parent, name, key).addOption(json()).addOption(url()).addOption(token())
}

function addLooking(holdfast: Command): void {
  holdfast.commandsGroup('Look:')
  add(holdfast, 'status', 'status')
    .argument('[service]', 'only this one')
    .option('--watch', 'stay, and show what changes')
    .addOption(json())
    .addOption(socket())
    .addOption(url())
    .addOption(token())
    .action(async (service, options) => (await import('./status.ts')).runStatusCommand(service, options))

  addRemote(holdfast, 'nodes').action(async (options) => (await import('./nodes.ts')).runNodesCommand(options))

  addRemote(holdfast, 'events')
    .option('--follow', 'stay, and print what happens')
    .option('--since <event>', 'only events after this one')
    .option('--service <service>', 'only of this service')
    .option('--node <node>', 'only of this node')
    .option('--limit <number>', 'so many at most: the newest, or with --since the next')
    .action(async (options) => (await import('./events.ts')).runEventsCommand(options))

  addRemote(holdfast, 'operations')
    .option('--service <service>', 'only of this service')
    .option('--limit <number>', 'so many at most', '20')
    .action(async (options) => (await import('./operations.ts')).runOperationsCommand(options))

  addRemote(holdfast, 'operation')
    .argument('<id>', 'the move, as switchover and events name it')
    .option('--wait', 'stay until it has ended')
    .action(async (id, options) => (await import('./operations.ts')).runOperationCommand(id, options))
}

function addOperating(holdfast: Command): void {
  holdfast.commandsGroup('Operate:')
  addRemote(holdfast, 'switchover')
    .argument('<service>', 'the service to move')
    .option('--to <node>', 'the node to move to; default: the best healthy backup')
    .addOption(reason())
    .option('--wait', 'return when the move is complete everywhere')
    .action(async (service, options) => (await import('./switchover.ts')).runSwitchoverCommand(service, options))

  addRemote(holdfast, 'drain')
    .argument('<node>', 'the node to empty')
    .addOption(reason())
    .option('--wait', 'return when every move that it led to has ended')
    .action(async (node, options) => (await import('./drain.ts')).runDrainCommand(node, options))

  addRemote(holdfast, 'undrain')
    .argument('<node>', 'the node that may take part again')
    .addOption(reason())
    .action(async (node, options) => (await import('./drain.ts')).runUndrainCommand(node, options))

  addRemote(holdfast, 'hold')
    .argument('<service>', 'the service to freeze')
    .addOption(reason())
    .action(async (service, options) => (await import('./hold.ts')).runHoldCommand(service, options))

  addRemote(holdfast, 'release')
    .argument('<service>', 'the service that may move again')
    .addOption(reason())
    .action(async (service, options) => (await import('./hold.ts')).runReleaseCommand(service, options))

  addRemote(holdfast, 'acknowledge')
    .argument('<service>', 'the service whose higher epoch was looked into')
    .addOption(reason())
    .action(async (service, options) => (await import('./hold.ts')).runAcknowledgeCommand(service, options))
}

function addAdministering(holdfast: Command): void {
  holdfast.commandsGroup('Administer:')
  addRemote(holdfast, 'apply')
    .requiredOption('-f, --file <file...>', 'files with services:, or - for standard input')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--yes', 'do not ask')
    .option('--prune', 'also delete what was applied before and is in none of the files')
    .addOption(reason())
    .action(async (options) => (await import('./apply.ts')).runApplyCommand(options))

  const tokens = add(holdfast, 'token', 'token')
  addRemote(tokens, 'create', 'token create')
    .argument('<name>', 'whose it is')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['admin', 'operator', 'viewer', 'node'])
        .makeOptionMandatory(),
    )
    .option('--node <node>', 'with the role node: the one it speaks for')
    .option('--expires <time>', 'refused after this time, such as 12h or 30d; default: never')
    .addOption(reason())
    .action(async (name, options) => (await import('./token.ts')).runTokenCreateCommand(name, options))
  addRemote(tokens, 'list', 'token list').action(async (options) =>
    (await import('./token.ts')).runTokenListCommand(options),
  )
  addRemote(tokens, 'revoke', 'token revoke')
    .argument('<token>', 'its id; or a name, for all of that name')
    .addOption(reason())
    .action(async (id, options) => (await import('./token.ts')).runTokenRevokeCommand(id, options))

  add(holdfast, 'check-config', 'check-config')
    .argument('<file...>', 'agent and control configurations')
    .option('--elsewhere', 'the files are for other machines: do not look for their interfaces and certificates here')
    .addOption(json())
    .action(async (files, options) => (await import('./check-config.ts')).runCheckConfigCommand(files, options))

  const adapters = add(holdfast, 'adapters', 'adapters')
  add(adapters, 'list', 'adapters list')
    .addOption(json())
    .action(async (options) => (await import('./adapters.ts')).runAdaptersListCommand(options))
  add(adapters, 'show', 'adapters show')
    .argument('<adapter>', 'its name')
    .addOption(json())
    .action(async (name, options) => (await import('./adapters.ts')).runAdaptersShowCommand(name, options))
  add(adapters, 'policy', 'adapters policy')
    .requiredOption('--config <file>', 'control’s configuration')
    .option('--service <service>', 'only of this service')
    .addOption(json())
    .action(async (options) => (await import('./adapters.ts')).runAdaptersPolicyCommand(options))
  add(adapters, 'preflight', 'adapters preflight')
    .requiredOption('--config <file>', 'control’s configuration')
    .option('--service <service>', 'only of this service')
    .addOption(json())
    .action(async (options) => (await import('./adapters.ts')).runAdaptersPreflightCommand(options))

  add(holdfast, 'import', 'import')
    .argument('<file>', 'keepalived.conf; what it includes is read too')
    .option('--output <file>', 'write here instead of to standard output')
    .option('--force', 'replace the output file if it exists')
    .option('--config-id <name>', 'whose @id lines apply, as keepalived’s -i; default: this machine’s name')
    .addOption(json())
    .action(async (file, options) => (await import('./import.ts')).runImportCommand(file, options))

  add(holdfast, 'completion', 'completion')
    .addArgument(new Argument('<shell>', 'the shell to complete in').choices(['bash', 'zsh', 'fish']))
    .action(async (shell) => (await import('./completion.ts')).runCompletionCommand(shell, holdfast))
}

function addRunning(holdfast: Command): void {
  holdfast.commandsGroup('Run:')
  add(holdfast, 'agent', 'agent')
    .requiredOption('--config <file>', 'the agent’s configuration')
    .action(async (options) => (await import('./agent.ts')).runAgentCommand(options))

  add(holdfast, 'reload', 'reload')
    .addOption(json())
    .addOption(socket())
    .action(async (options) => (await import('./reload.ts')).runReloadCommand(options))

  const control = add(holdfast, 'control', 'control')
    // Required too, but not of the command below it.
    .option('--config <file>', 'control’s configuration')
    .action(async (options) => (await import('./control.ts')).runControlCommand(options))

  add(control, 'backup', 'control backup')
    .argument('<file>', 'where to write it')
    .option('--force', 'replace the file if it is there')
    .addOption(url())
    .addOption(token())
    .action(async (file, options) => (await import('./backup.ts')).runBackupCommand(file, options))

  add(holdfast, 'demo', 'demo')
    .option('--once', 'end after the script; exit 0 only if every step held')
    .addOption(json())
    .addOption(new Option('--interval <duration>', 'advertisement interval').default('100ms'))
    .action(async (options) => (await import('./demo.ts')).runDemoCommand(options))
}

function addHidden(holdfast: Command): void {
  // For the completion scripts, and not for people.
  holdfast
    .command('names', { hidden: true })
    .addArgument(new Argument('<kind>').choices(nameKinds))
    .addOption(url())
    .addOption(token())
    .addOption(socket())
    .action(async (kind, options) => (await import('./names.ts')).runNamesCommand(kind, options))

  // What fingers type that know other programs: the same as --help.
  holdfast
    .command('help', { hidden: true })
    .argument('[command...]')
    .action((path: readonly string[]) => {
      const named = path.reduce<Command | undefined>(
        (command, name) => command?.commands.find((inner) => inner.name() === name),
        holdfast,
      )
      if (named === undefined) throw new UsageError(`there is no command ${path.join(' ')}; holdfast --help lists them`)
      named.help()
    })
}
