/**
 * `holdfast completion SHELL`: a completion script, made from the commands and flags as `main.ts` declares them, so
 * that a new command is in it by itself.
 *
 * What may follow is told by the placeholder: `<file>` and `<path>` are completed as files, listed choices as words,
 * and anything else is left to the user.
 */
import type { Command } from 'commander'

export type Shell = 'bash' | 'zsh' | 'fish'

export function runCompletionCommand(shell: Shell, program: Command): void {
  process.stdout.write(completionScript(shell, program))
}

export function completionScript(shell: Shell, program: Command): string {
  const commands = shapesOf(program)
  return { bash, zsh, fish }[shell](program.name(), commands)
}

type Values = { readonly kind: 'files' } | { readonly kind: 'words'; readonly words: readonly string[] } | undefined

type Flag = {
  readonly names: readonly string[]
  readonly description: string
  /** Undefined: the flag stands alone. */
  readonly value: { readonly name: string; readonly values: Values } | undefined
}

type Shape = {
  /** Names from below the program down to this command; empty for the program itself. */
  readonly path: readonly string[]
  readonly commands: readonly { readonly name: string; readonly description: string }[]
  readonly flags: readonly Flag[]
  readonly arguments: readonly { readonly name: string; readonly variadic: boolean; readonly values: Values }[]
}

/** The program and every command below it; what is hidden from help is left out. */
function shapesOf(command: Command, path: readonly string[] = []): Shape[] {
  const help = command.createHelp()
  const below = help.visibleCommands(command).filter((inner) => inner.name() !== 'help')
  const shape: Shape = {
    path,
    commands: below.map((inner) => ({ name: inner.name(), description: firstSentence(inner.description()) })),
    flags: help.visibleOptions(command).map((option) => ({
      names: [option.short, option.long].filter((name) => name != null),
      description: option.description,
      value: option.required || option.optional ? placeholder(option.flags, option.argChoices) : undefined,
    })),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      variadic: argument.variadic,
      values: valuesOf(argument.name(), argument.argChoices),
    })),
  }
  return [shape, ...below.flatMap((inner) => shapesOf(inner, [...path, inner.name()]))]
}

/** `--to <node>` wants a `node`. */
function placeholder(flags: string, choices: readonly string[] | undefined): { name: string; values: Values } {
  const name = /[<[](.+?)(\.\.\.)?[>\]]/.exec(flags)?.[1] ?? 'value'
  return { name, values: valuesOf(name, choices) }
}

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: 'words', words: choices }
  return name === 'file' || name === 'path' ? { kind: 'files' } : undefined
}

/** A list of commands has room for no more. */
function firstSentence(description: string): string {
  return description.split(/[.:](\s|$)/)[0] ?? ''
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Walks the words before the cursor down the tree, then offers what may stand there. */
function bash(program: string, shapes: readonly Shape[]): string {
  const name = `_${program}`
  const at = ({ path }: Shape): string => quoted(path.join(' '))
  const descend = shapes.flatMap(({ path, commands }) =>
    commands.map((inner) => `      ${quoted([...path, inner.name].join(' '))}) path=$candidate ;;`),
  )
  const values = shapes.flatMap(({ path, flags }) =>
    flags
      .filter(({ value }) => value !== undefined)
      .map(({ names, value }) => {
        const patterns = names.map((flag) => quoted([...path, flag].join(' '))).join('|')
        return `    ${patterns}) ${bashValues(value?.values)}; return ;;`
      }),
  )
  const words = shapes.map((shape) => {
    const choices = shape.arguments.flatMap(({ values }) => (values?.kind === 'words' ? values.words : []))
    const flags = shape.flags.flatMap(({ names }) => names)
    const offered = [...shape.commands.map((inner) => inner.name), ...choices]
    const files = shape.arguments.some(({ values }) => values?.kind === 'files') ? '; files=yes' : ''
    return `    ${at(shape)}) words=${quoted(offered.join(' '))}; flags=${quoted(flags.join(' '))}${files} ;;`
  })
  return `# bash completion for ${program}. To use it: source <(${program} completion bash)
${name}() {
  local path='' candidate words='' flags='' files='' i
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    candidate=\${path:+$path }\${COMP_WORDS[i]}
    case $candidate in
${descend.join('\n')}
    esac
  done
  case \${path:+$path }$previous in
${values.join('\n')}
  esac
  case $path in
${words.join('\n')}
  esac
  if [[ $current == -* ]]; then words=$flags
  elif [[ -n $files ]]; then compopt -o default 2>/dev/null
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F ${name} ${program}
`
}

function bashValues(values: Values): string {
  if (values === undefined) return ':'
  if (values.kind === 'files') return 'compopt -o default 2>/dev/null'
  return `COMPREPLY=($(compgen -W ${quoted(values.words.join(' '))} -- "$current"))`
}

/** One function per command; zsh's own `_arguments` does the rest. */
function zsh(program: string, shapes: readonly Shape[]): string {
  const functionOf = (path: readonly string[]): string => ['', program, ...path].join('_')
  const functions = shapes.map((shape) => {
    const name = functionOf(shape.path)
    const flags = shape.flags.map(zshFlag)
    const positions =
      shape.commands.length > 0
        ? [`'1:command:${name}_commands'`, `'*::argument:${name}_below'`]
        : shape.arguments.map(
            ({ name, variadic, values }, i) => `'${variadic ? '*' : i + 1}:${name}:${zshValues(values)}'`,
          )
    const own = `${name}() {\n  _arguments ${[...flags, ...positions].join(' \\\n    ')}\n}`
    if (shape.commands.length === 0) return own
    const names = shape.commands.map((inner) => `    ${quoted(`${inner.name}:${inner.description}`)}`)
    const cases = shape.commands.map((inner) => `    ${inner.name}) ${functionOf([...shape.path, inner.name])} ;;`)
    return [
      own,
      `${name}_commands() {\n  local -a commands=(\n${names.join('\n')}\n  )\n  _describe command commands\n}`,
      `${name}_below() {\n  case $words[1] in\n${cases.join('\n')}\n  esac\n}`,
    ].join('\n')
  })
  return `#compdef ${program}
# zsh completion for ${program}. To use it: source <(${program} completion zsh), after compinit;
# or keep it as _${program} in a folder of $fpath.
${functions.join('\n')}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _${program} "$@"; else compdef _${program} ${program}; fi
`
}

function zshFlag({ names, description, value }: Flag): string {
  const text = description.replaceAll(/[[\]:\\]/g, '\\$&')
  const argument = value === undefined ? '' : `:${value.name}:${zshValues(value.values)}`
  const several = names.length > 1 ? `(${names.join(' ')})` : ''
  return names.map((name) => quoted(`${several}${name}[${text}]${argument}`)).join(' ')
}

function zshValues(values: Values): string {
  if (values === undefined) return ' '
  return values.kind === 'files' ? '_files' : `(${values.words.join(' ')})`
}

/** One line per command, flag and argument, each under the condition that its command stands on the line. */
function fish(program: string, shapes: readonly Shape[]): string {
  const lines = shapes.flatMap((shape) => {
    const seen = shape.path.map((name) => `__fish_seen_subcommand_from ${name}`)
    const below = shape.commands.map(({ name }) => name)
    const none = below.length === 0 ? [] : [`not __fish_seen_subcommand_from ${below.join(' ')}`]
    const line = (conditions: readonly string[], rest: string): string =>
      `complete -c ${program}${conditions.length > 0 ? ` -n ${quoted(conditions.join('; and '))}` : ''} ${rest}`
    return [
      ...shape.commands.map(({ name, description }) =>
        line([...seen, ...none], `-f -a ${name} -d ${quoted(description)}`),
      ),
      ...shape.flags.map((flag) => line([...seen, ...none], fishFlag(flag))),
      ...shape.arguments.map(({ values }) => line([...seen, ...none], fishValues(values))),
    ]
  })
  return `# fish completion for ${program}. To use it: ${program} completion fish | source
complete -c ${program} -f
${lines.join('\n')}
`
}

function fishFlag({ names, description, value }: Flag): string {
  const options = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const rest = value === undefined ? '' : `-r ${fishValues(value.values)} `
  return `${options.join(' ')} ${rest}-d ${quoted(description)}`
}

function fishValues(values: Values): string {
  if (values === undefined) return '-f'
  return values.kind === 'files' ? '-F' : `-f -a ${quoted(values.words.join(' '))}`
}
