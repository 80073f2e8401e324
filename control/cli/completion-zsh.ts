/** Zsh's completion script: one function per command; zsh's own `_arguments` does the rest. */
import { accessFlags, type Flag, quoted, type Shape, type Values } from './completion.ts'

export function zsh(program: string, shapes: readonly Shape[]): string {
  const functionOf = (path: readonly string[]): string => ['', program, ...path].join('_')
  const functions = shapes.map((shape) => {
    const name = functionOf(shape.path)
    const flags = shape.flags.map((flag) => describeFlag(program, flag))
    const positions =
      shape.commands.length > 0
        ? [`'1:command:${name}_commands'`, `'*::argument:${name}_below'`]
        : shape.arguments.map(
            ({ name, variadic, values }, i) => `'${variadic ? '*' : i + 1}:${name}:${offer(program, values)}'`,
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
${namesFunction(program, shapes)}
${functions.join('\n')}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _${program} "$@"; else compdef _${program} ${program}; fi
`
}

function describeFlag(program: string, { names, description, value }: Flag): string {
  const text = description.replaceAll(/[[\]:\\]/g, '\\$&')
  const argument = value === undefined ? '' : `:${value.name}:${offer(program, value.values)}`
  const several = value?.variadic === true ? '*' : names.length > 1 ? `(${names.join(' ')})` : ''
  return names.map((name) => quoted(`${several}${name}[${text}]${argument}`)).join(' ')
}

function offer(program: string, values: Values): string {
  if (values === undefined) return ' '
  if (values.kind === 'files') return '_files'
  // The space keeps zsh from adding arguments of its own.
  return values.kind === 'names' ? ` _${program}_names ${values.of}` : `(${values.words.join(' ')})`
}

/** Asks the control that the line names. What it needs goes by the environment, which others cannot see. */
function namesFunction(program: string, shapes: readonly Shape[]): string {
  const access = accessFlags(shapes)
  const cases = access.flatMap(({ flag, variable }) => [
    `      ${flag}) ${variable}=\${(Q)words[i + 1]} ;;`,
    `      ${flag}=*) ${variable}=\${(Q)words[i]#*=} ;;`,
  ])
  const exported = access.map(({ variable }) => `  local -x ${variable}=$${variable}`)
  return `_${program}_names() {
${exported.join('\n')}
  local i
  for ((i = 1; i < $#words; i++)); do
    case $words[i] in
${cases.join('\n')}
    esac
  done
  local -a names=(\${(f)"$(command ${program} names $1 2>/dev/null </dev/null)"})
  compadd -- $names
}`
}
