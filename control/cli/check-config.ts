/** `holdfast check-config FILE…`: every mistake of agent and control configurations, with file, line, key and remedy. */
import { parse } from 'yaml'
import { ConfigError, type ConfigProblem, describeProblem } from '../config-file.ts'
import { loadControlConfig } from '../node/load-config.ts'
import { readAgentFile, readText } from './files.ts'

type Options = { readonly elsewhere?: boolean; readonly json?: boolean }

export function runCheckConfigCommand(files: readonly string[], { elsewhere = false, json = false }: Options): void {
  const problems = files.flatMap((file) => check(file, elsewhere))
  if (json) process.stdout.write(`${JSON.stringify({ problems })}\n`)
  else {
    for (const problem of problems) process.stderr.write(`${describeProblem(problem)}\n`)
    const good = files.filter((file) => problems.every((problem) => problem.file !== file))
    for (const file of good) process.stdout.write(`${file}: ${kindOf(readText(file))} configuration, no mistakes\n`)
  }
  if (problems.length > 0) process.exitCode = 2
}

function check(file: string, elsewhere: boolean): readonly ConfigProblem[] {
  const text = readText(file)
  try {
    if (kindOf(text) === 'control') loadControlConfig(file)
    else readAgentFile(file, text, { elsewhere })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** Keys that only control has tell the two kinds apart. A file that is no YAML is the agent reader's to refuse. */
function kindOf(text: string): 'agent' | 'control' {
  try {
    const root: unknown = parse(text, { logLevel: 'silent' })
    const keys = typeof root === 'object' && root !== null ? Object.keys(root) : []
    return ['listen', 'database', 'tokens', 'ownerProbe'].some((key) => keys.includes(key)) ? 'control' : 'agent'
  } catch {
    return 'agent'
  }
}
