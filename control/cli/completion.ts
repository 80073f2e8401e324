/**
 * `holdfast completion SHELL`: a completion script, made from the commands and flags as `program.ts` declares them, so
 * that a new command is in it by itself.
 *
 * What may follow is told by the placeholder: `<file>` and `<path>` are completed as files, `<service>`, `<node>` and
 * `<id>` as what `holdfast names` says that control has, listed choices as words, and anything else is left to the user.
 */
import type { Command, Option } from 'commander'
import { bash } from './completion-bash.ts'
import { fish } from './completion-fish.ts'
import { zsh } from './completion-zsh.ts'
import type { NameKind } from './names.ts'

export type Shell = 'bash' | 'zsh' | 'fish'

export function runCompletionCommand(shell: Shell, program: Command): void {
  process.stdout.write(completionScript(shell, program))
}

export function completionScript(shell: Shell, program: Command): string {
  const commands = shapesOf(program)
  return { bash, zsh, fish }[shell](program.name(), commands)
}

/** What may stand in a place; undefined: anything. */
export type Values =
  | { readonly kind: 'files' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'names'; readonly of: NameKind }
  | undefined

export type Flag = {
  readonly names: readonly string[]
  readonly description: string
  /** Undefined: the flag stands alone. */
  readonly value: { readonly name: string; readonly values: Values; readonly variadic: boolean } | undefined
  /** That stands for it. */
  readonly variable: string | undefined
}

export type Shape = {
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
      value: option.required || option.optional ? placeholder(option) : undefined,
      variable: option.envVar,
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
function placeholder({ flags, argChoices, variadic }: Option): Flag['value'] {
  const name = /[<[](.+?)(\.\.\.)?[>\]]/.exec(flags)?.[1] ?? 'value'
  return { name, values: valuesOf(name, argChoices), variadic }
}

const nameKinds: Readonly<Record<string, NameKind>> = { service: 'services', node: 'nodes', id: 'operations' }

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: 'words', words: choices }
  if (name === 'file' || name === 'path') return { kind: 'files' }
  const of = nameKinds[name]
  return of === undefined ? undefined : { kind: 'names', of }
}

/** A list of commands has room for no more. */
function firstSentence(description: string): string {
  return description.split(/[.:](\s|$)/)[0] ?? ''
}

/** In quotes that all three shells understand. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** The flags that say which control is meant, and the variables that stand for them. */
export function accessFlags(shapes: readonly Shape[]): readonly { readonly flag: string; readonly variable: string }[] {
  const pairs = shapes.flatMap(({ flags }) =>
    flags.flatMap(({ names, variable }) => (variable === undefined ? [] : [[names.at(-1)!, variable] as const])),
  )
  return [...new Map(pairs)].map(([flag, variable]) => ({ flag, variable }))
}
