/** Fish's completion script: a line per command, flag and argument, each under the condition that its command stands there. */
import { accessFlags, type Flag, quoted, type Shape, type Values } from './completion.ts'

export function fish(program: string, shapes: readonly Shape[]): string {
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
      ...shape.flags.map((flag) => line([...seen, ...none], describeFlag(program, flag))),
      ...shape.arguments.map(({ values }) => line([...seen, ...none], offer(program, values))),
    ]
  })
  return `# fish completion for ${program}. To use it: ${program} completion fish | source
${namesFunction(program, shapes)}
complete -c ${program} -f
${lines.join('\n')}
`
}

function describeFlag(program: string, { names, description, value }: Flag): string {
  const options = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const rest = value === undefined ? '' : `-r ${offer(program, value.values)} `
  return `${options.join(' ')} ${rest}-d ${quoted(description)}`
}

function offer(program: string, values: Values): string {
  if (values === undefined) return '-f'
  if (values.kind === 'files') return '-F'
  return `-f -a ${quoted(values.kind === 'names' ? `(__${program}_names ${values.of})` : values.words.join(' '))}`
}

/** Asks the control that the line names. What it needs goes by the environment, which others cannot see. */
function namesFunction(program: string, shapes: readonly Shape[]): string {
  const access = accessFlags(shapes)
  const exported = access.map(({ variable }) => `  set -lx ${variable} $${variable}`)
  const cases = access.flatMap(({ flag, variable }) => [
    `      case ${flag}`,
    `        set ${variable} $words[(math $i + 1)]`,
    `      case '${flag}=*'`,
    `        set ${variable} (string replace -r '^[^=]*=' '' -- $words[$i])`,
  ])
  return `function __${program}_names
${exported.join('\n')}
  set -l words (commandline -opc)
  for i in (seq (count $words))
    switch $words[$i]
${cases.join('\n')}
    end
  end
  command ${program} names $argv[1] 2>/dev/null </dev/null
end`
}
