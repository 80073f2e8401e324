/**
 * A program of the operator's own, run for each call: whatever it moves.
 *
 *   stdin     {verb: observe | apply | preflight, service, binding, node, epoch, token, target, targets, config}
 *   stdout    one JSON value; `answers.ts` says which, and what exit codes mean
 *
 * `node`, `epoch` and `token` are null where there is none; `target` is the node's `data`, `targets` those of all nodes,
 * `config` the binding's. The same words are in HOLDFAST_VERB, _SERVICE, _BINDING, _NODE, _EPOCH and _TOKEN (absent for
 * null) for programs that are shell scripts, like `infra/examples/exec-program.sh`. Nothing else is in the environment but
 * PATH, LANG and the configured names: control's own secrets are not.
 *
 * The program runs as the user that control runs as; it is no shell that starts it. It must end within seven seconds, and
 * must fail (exit 64) when asked a verb that it does not know. When it is made to end, so is all that it started, so
 * that nothing of a call goes on after the call; ten seconds cover the machine's own delays.
 */

import type { z } from 'zod'
import { environment, run, whyNotRunnable } from '#runtime/exec'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome, Raw } from '../adapter.ts'
import { harmless, noTarget } from '../failures.ts'
import type { RunLimits } from '../runtime/program.ts'
import { answerOf, doneSchema, placeSchema, trialSchema } from './answers.ts'
import type { ExecConfig, ExecTarget } from './schema.ts'

/** So that a call ends before control gives it up after eight seconds. */
const usualLimits: RunLimits = { termMs: 7_000, killMs: 7_500, endMs: 7_900, outputBytes: 1_000_000 }

/** A value of the environment that is shorter is no secret, and withholding it would garble what is said. */
const shortestSecret = 4

type Options = { readonly limits?: RunLimits }
type Binding = AdapterInput<ExecConfig, ExecTarget> & { readonly limits: RunLimits }
type Question = {
  readonly verb: 'observe' | 'apply' | 'preflight'
  readonly node?: string
  readonly epoch?: number
  readonly token?: string | null
}

export function createExec(input: AdapterInput<ExecConfig, ExecTarget>, options: Options = {}): Adapter {
  const binding: Binding = { ...input, limits: options.limits ?? usualLimits }
  return {
    capabilities: {
      cas: input.config.fenced ? 'atomic' : 'none',
      dryRun: false,
      ipv6: true,
      settleMs: input.config.settleSeconds * 1000,
      maxInFlightMs: 10_000,
      // The program and its children were killed when its time was over.
      unsureMs: Math.max(1_000, input.config.settleSeconds * 1000),
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const asked = await ask(binding, { verb: 'observe' }, placeSchema, signal)
  if (asked.kind !== 'value') return { kind: 'unknown', failure: asked }
  const place = asked.value
  const secrets = secretsOf(binding.config)
  const where = 'node' in place ? place.node : place.foreign
  const known = where === null ? null : harmless(where, secrets)
  const raw: Raw = { at: known, epochSeen: typeof place.epochSeen === 'number' ? String(place.epochSeen) : null }
  const seen = {
    token: place.token ?? null,
    ...(typeof place.epochSeen === 'number' ? { epochSeen: place.epochSeen } : {}),
    raw,
  }
  if (where === null || known === null) return { kind: 'none', ...seen }
  return 'node' in place && Object.hasOwn(binding.targets, where)
    ? { kind: 'node', node: where, ...seen }
    : { kind: 'foreign', what: known, ...seen }
}

async function apply(binding: Binding, { node, epoch, token }: Move, signal: AbortSignal): Promise<Outcome> {
  if (!Object.hasOwn(binding.targets, node)) return noTarget(node)
  const asked = await ask(binding, { verb: 'apply', node, epoch, token }, doneSchema, signal)
  return asked.kind === 'value' ? { kind: 'done' } : asked
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config, targets } = binding
  const [path] = config.command
  const why = await whyNotRunnable(path)
  if (why !== null) return [{ check: `execute ${path}`, result: 'failed', message: `it cannot be run: ${why}` }]
  const findings: Finding[] = [{ check: `execute ${path}`, result: 'passed', message: null }]
  for (const node of Object.keys(targets)) {
    const check = `${path} preflight (${node})`
    const asked = await ask(binding, { verb: 'preflight', node }, trialSchema, signal)
    findings.push({ check, ...(asked.kind === 'value' ? trialOf(asked.value, binding) : untried(asked)) })
  }
  return findings
}

function trialOf({ result, message }: z.output<typeof trialSchema>, { config }: Binding): Omit<Finding, 'check'> {
  return { result, message: result === 'passed' ? null : harmless(message, secretsOf(config)) }
}

/** A program need not be able to try a move; whether it is that, or it is broken, cannot be told. */
function untried({ message }: Failure): Omit<Finding, 'check'> {
  return { result: 'untried', message: `no answer to preflight: ${message}` }
}

async function ask<Schema extends z.ZodType>(
  binding: Binding,
  question: Question,
  schema: Schema,
  signal: AbortSignal,
): Promise<{ readonly kind: 'value'; readonly value: z.output<Schema> } | Failure> {
  const { config, limits } = binding
  const { command } = config
  const missing = config.env.find((name) => environment()[name] === undefined)
  if (missing !== undefined) {
    const message = `the program is to get the environment variable ${missing}, which control does not have`
    return { kind: 'permanent', code: 'NoCredentials', message }
  }
  const input = `${JSON.stringify(wordsFor(binding, question))}\n`
  const ended = await run({ command, env: environmentFor(binding, question), input, limits }, signal)
  const nonsense = question.verb === 'apply' ? 'unknown' : 'permanent'
  return answerOf(ended, { schema, secrets: secretsOf(config), nonsense })
}

function wordsFor({ service, binding, config, targets }: Binding, question: Question): object {
  const { verb, node = null, epoch = null, token = null } = question
  const data = Object.entries(targets).map(([name, target]) => [name, target.data ?? {}] as const)
  const target = node === null ? null : (targets[node]?.data ?? {})
  const all = Object.fromEntries(data)
  return { verb, service, binding, node, epoch, token, target, targets: all, config: config.data ?? {} }
}

function environmentFor({ service, binding, config }: Binding, question: Question): Record<string, string> {
  const own = environment()
  const { verb, node, epoch, token } = question
  const words = { VERB: verb, SERVICE: service, BINDING: binding, NODE: node, EPOCH: epoch, TOKEN: token }
  const entries = [
    ...['LANG', ...config.env].map((name) => [name, own[name]] as const),
    ...Object.entries(words).map(([name, value]) => [`HOLDFAST_${name}`, value] as const),
  ]
  const given = entries.filter(([, value]) => value !== undefined && value !== null)
  return {
    PATH: own.PATH ?? '/usr/bin:/bin',
    ...Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
  }
}

/** What the program is trusted with, which it may repeat on standard error. */
function secretsOf({ env }: ExecConfig): readonly string[] {
  return env.map((name) => environment()[name] ?? '').filter((value) => value.length >= shortestSecret)
}
