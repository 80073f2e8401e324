/** Bash's completion script: it walks the words before the cursor down the tree, then offers what may stand there. */
import { accessFlags, quoted, type Shape, type Values } from './completion.ts'

export function bash(program: string, shapes: readonly Shape[]): string {
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
        return `    ${patterns}) ${offer(name, value?.values)}; return ;;`
      }),
  )
  const words = shapes.map((shape) => {
    const choices = shape.arguments.flatMap(({ values }) => (values?.kind === 'words' ? values.words : []))
    const flags = shape.flags.flatMap(({ names }) => names)
    const offered = [...shape.commands.map((inner) => inner.name), ...choices]
    const places = [...shape.arguments, ...shape.flags.flatMap(({ value }) => (value?.variadic ? [value] : []))]
    const files = places.some(({ values }) => values?.kind === 'files') ? '; files=yes' : ''
    const names = shape.arguments.flatMap(({ values }) => (values?.kind === 'names' ? [`; names=${values.of}`] : []))
    return `    ${at(shape)}) words=${quoted(offered.join(' '))}; flags=${quoted(flags.join(' '))}${files}${names.join('')} ;;`
  })
  return `# bash completion for ${program}. To use it: source <(${program} completion bash)
${namesFunction(program, shapes)}
${name}() {
  local path='' candidate words='' flags='' files='' names='' i
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  # --to=n1 is three words here.
  if [[ $current == = ]]; then current=''
  elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
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
  elif [[ -n $names ]]; then words+=" $(${name}_names $names)"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F ${name} ${program}
`
}

function offer(name: string, values: Values): string {
  if (values === undefined) return ':'
  if (values.kind === 'files') return 'compopt -o default 2>/dev/null'
  const words = values.kind === 'words' ? quoted(values.words.join(' ')) : `"$(${name}_names ${values.of})"`
  return `COMPREPLY=($(compgen -W ${words} -- "$current"))`
}

/** Asks the control that the line names. What it needs goes by the environment, which others cannot see. */
function namesFunction(program: string, shapes: readonly Shape[]): string {
  const access = accessFlags(shapes)
  const cases = access.flatMap(({ flag, variable }) => [
    `      ${flag}) ${variable}=\${line[i + 1]} ;;`,
    `      ${flag}=*) ${variable}=\${line[i]#*=} ;;`,
  ])
  const exported = access.map(({ variable }) => `  local -x ${variable}=$${variable}`)
  return `_${program}_names() {
${exported.join('\n')}
  local i line
  read -ra line <<< "\${COMP_LINE:0:COMP_POINT}"
  for ((i = 1; i < \${#line[@]}; i++)); do
    case \${line[i]} in
${cases.join('\n')}
    esac
  done
  command ${program} names "$1" 2>/dev/null </dev/null
}`
}
