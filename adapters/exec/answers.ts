/**
 * What a program says, by its exit code and then by its standard output:
 *
 *   exit 0                          what it says, as JSON:
 *     observe                         {"node": "n1"}, {"node": null} or {"foreign": "what"}, with "token" and "epochSeen"
 *     apply                           {"result": "done"}
 *     preflight                       {"result": "passed"} or {"result": "failed", "message": "..."}
 *     any of them                     {"result": "conflict" | "retry" | "permanent" | "unknown", "message", "afterMs"}
 *   exit 75 (EX_TEMPFAIL)           retry
 *   any other exit                  permanent, with the end of its standard error
 *   killed, or stopped for time     unknown
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { failure, harmless } from '../failures.ts'
import type { Ended } from '../runtime/program.ts'

const words = z.string().max(10_000)
// It is also given back in the environment.
const token = z
  .string()
  .max(1_024)
  .refine((value) => !value.includes('\0'), 'a token holds no NUL')
const beside = { token: token.nullish(), epochSeen: z.int().min(0).nullish() }

export const placeSchema = z.union([
  z.strictObject({ node: z.string().min(1).max(255).nullable(), ...beside }),
  z.strictObject({ foreign: z.string().min(1).max(255), ...beside }),
])

export const doneSchema = z.strictObject({ result: z.literal('done') })

export const trialSchema = z.strictObject({ result: z.enum(['passed', 'failed', 'untried']), message: words.nullish() })

const failedSchema = z.strictObject({
  result: z.enum(['conflict', 'retry', 'permanent', 'unknown']),
  message: words.nullish(),
  afterMs: z.int().min(0).max(3_600_000).nullish(),
})

/** EX_TEMPFAIL of sysexits.h. */
const temporary = 75

type Reading<Schema extends z.ZodType> = {
  readonly schema: Schema
  readonly secrets: readonly string[]
  /** What an answer means that is none: whether something may have happened. */
  readonly nonsense: 'permanent' | 'unknown'
}

/** What a program that has ended says, as `schema` has it, or how it failed. */
export function answerOf<Schema extends z.ZodType>(
  ended: Ended,
  reading: Reading<Schema>,
): { readonly kind: 'value'; readonly value: z.output<Schema> } | Failure {
  const { secrets } = reading
  switch (ended.kind) {
    case 'not-started': {
      const message = harmless(`the program cannot be started: ${ended.why}`, secrets)
      return { kind: ended.retry ? 'retry' : 'permanent', code: ended.code, message }
    }
    case 'stopped':
      return { kind: 'unknown', ...because[ended.because] }
    case 'killed': {
      const message = `the program was killed by ${ended.signal}${complaint(ended.complained, secrets)}`
      return { kind: 'unknown', code: ended.signal, message }
    }
    case 'exited':
      if (ended.code === 0) return said(ended.said, reading)
      return {
        kind: ended.code === temporary ? 'retry' : 'permanent',
        code: `exit ${ended.code}`,
        message: `the program ended with ${ended.code}${complaint(ended.complained, secrets)}`,
      }
  }
}

const because = {
  time: { code: 'TimedOut', message: 'the program took too long and was made to end' },
  output: { code: 'TooLong', message: 'the program wrote too much and was made to end' },
  caller: { code: 'Aborted', message: 'the call was given up, and the program made to end' },
} as const

function complaint(text: string, secrets: readonly string[]): string {
  return text.trim() === '' ? ', and says nothing on standard error' : `: ${harmless(text, secrets)}`
}

function said<Schema extends z.ZodType>(
  text: string,
  { schema, secrets, nonsense }: Reading<Schema>,
): { readonly kind: 'value'; readonly value: z.output<Schema> } | Failure {
  const json = jsonOr(text)
  const parsed = schema.safeParse(json)
  if (parsed.success) return { kind: 'value', value: parsed.data }
  const failed = failedSchema.safeParse(json)
  if (!failed.success) {
    const what = text.trim() === '' ? 'nothing' : harmless(text, secrets)
    return { kind: nonsense, code: 'BadAnswer', message: `the program answered what is none of its answers: ${what}` }
  }
  const { result, message, afterMs } = failed.data
  const busy = result === 'retry' && typeof afterMs === 'number'
  return failure(busy ? 'throttled' : result, 'Said', harmless(message, secrets), afterMs ?? undefined)
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
