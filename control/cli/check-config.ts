/** `holdfast check-config FILE…`: every mistake of agent and control configurations, with file, line, key and remedy. */
import { isNode, LineCounter, parse, parseDocument } from 'yaml'
import { ConfigError, type ConfigProblem, describeProblem } from '../config/config-file.ts'
import { loadControlConfig } from '../node/load-config.ts'
import type { Tls } from '../node/tls.ts'
import { readAgentFile, readText } from './files.ts'

type Options = { readonly elsewhere?: boolean; readonly json?: boolean }

export async function runCheckConfigCommand(
  files: readonly string[],
  { elsewhere = false, json = false }: Options,
): Promise<void> {
  const found = await Promise.all(files.map((file) => check(file, elsewhere)))
  const problems = found.flatMap(({ problems }) => problems)
  const warnings = found.flatMap(({ warnings }) => warnings)
  if (json) process.stdout.write(`${JSON.stringify({ problems, warnings })}\n`)
  else {
    for (const warning of warnings) process.stderr.write(`${describeProblem(warning)}; this is no mistake\n`)
    for (const problem of problems) process.stderr.write(`${describeProblem(problem)}\n`)
    const good = files.filter((file) => problems.every((problem) => problem.file !== file))
    for (const file of good) process.stdout.write(`${file}: ${kindOf(readText(file))} configuration, no mistakes\n`)
  }
  if (problems.length > 0) process.exitCode = 2
}

type Found = { readonly problems: readonly ConfigProblem[]; readonly warnings: readonly ConfigProblem[] }

async function check(file: string, elsewhere: boolean): Promise<Found> {
  const text = readText(file)
  try {
    if (kindOf(text) === 'control') {
      const { config } = await loadControlConfig(file)
      const problems = config.tls === null || elsewhere ? [] : await checkTls(file, text, config.tls)
      return { problems, warnings: [] }
    }
    return { problems: [], warnings: readAgentFile(file, text, { elsewhere }).warnings }
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, warnings: [] }
    throw error
  }
}

/** The certificate and its key, as control would read them at its start, and whether anybody would still accept them. */
async function checkTls(file: string, text: string, tls: Tls): Promise<readonly ConfigProblem[]> {
  const { tlsProblems } = await import('../node/tls.ts')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  return tlsProblems(tls, file, new Date()).map(({ key, reason }) => {
    const node = document.getIn(key.split('.'), true)
    const line = isNode(node) && node.range ? lines.linePos(node.range[0]).line : 1
    return { file, line, key, message: reason }
  })
}

/**
 * Told by the keys that only one of them has, so that a slip in one key misleads nobody. A file that says nothing, or is
 * no YAML, is the agent reader's to refuse.
 */
function kindOf(text: string): 'agent' | 'control' {
  let root: unknown
  try {
    root = parse(text, { logLevel: 'silent' })
  } catch {
    return 'agent'
  }
  const keys = keysOf(root)
  const services = Object.values(isMap(root) && isMap(root.services) ? root.services : {}).flatMap(keysOf)
  const count = (kind: 'agent' | 'control'): number =>
    keys.filter((key) => telling[kind].file.includes(key)).length +
    services.filter((key) => telling[kind].service.includes(key)).length
  return count('control') > count('agent') ? 'control' : 'agent'
}

const telling: Readonly<Record<'agent' | 'control', { file: readonly string[]; service: readonly string[] }>> = {
  agent: {
    file: ['node', 'site', 'control', 'socket', 'metrics', 'realtime', 'checks', 'groups'],
    service: [
      'interface',
      'vrid',
      'priority',
      'addresses',
      'interval',
      'preempt',
      'mode',
      'checks',
      'accept',
      'unicast',
    ],
  },
  control: {
    file: ['listen', 'database', 'adapters', 'tokens', 'ownerProbe', 'tls', 'retention', 'rateLimit', 'trace'],
    service: ['bindings', 'sites', 'nodes', 'confirm', 'failback', 'flap', 'higherEpoch', 'hosts', 'origins', 'probe'],
  },
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const keysOf = (value: unknown): string[] => (isMap(value) ? Object.keys(value) : [])
