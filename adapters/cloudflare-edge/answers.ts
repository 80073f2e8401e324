/** What the edge Worker says: what it holds, and why it refuses. Whatever is not in its own words is a stranger's. */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { failure, kindOfStatus, strangeAnswer } from '../failures.ts'
import type { Answer } from '../http.ts'

/** How messages call it. */
export const edge = 'the edge Worker'

const routeSchema = z.object({
  hosts: z.array(z.string()),
  epoch: z.int().min(0),
  owner: z.object({ node: z.string(), site: z.string() }).nullable(),
  sites: z.array(z.object({ site: z.string(), url: z.string(), healthy: z.boolean() })),
})

export type Route = z.output<typeof routeSchema>

export const writtenSchema = z.object({ epoch: z.int().min(0), revision: z.int().min(0) })
export const heldSchema = writtenSchema.extend({ route: routeSchema.nullable() })

const problemSchema = z.object({ code: z.string(), detail: z.string() })

/** What to do about a refusal, by its code: the edge's own words say only what is wrong. */
const remedies: Readonly<Record<string, string>> = {
  unauthorized: 'give control the HOLDFAST_EDGE_TOKEN of the Worker',
  'not-found': 'the Worker has no HOLDFAST_EDGE_TOKEN: npx wrangler secret put HOLDFAST_EDGE_TOKEN',
  'follows-control': 'remove HOLDFAST_URL from the Worker, or this binding from the service',
  misconfigured: "the Worker's log says which of its settings is wrong",
}

/** What is held, when that is why a write was refused; null when the answer says no such thing. */
export function refusalOf(answer: Answer): z.output<typeof writtenSchema> | null {
  const read = jsonOrNull(answer, writtenSchema.extend({ code: z.literal('conflict') }))
  return read === null ? null : { epoch: read.epoch, revision: read.revision }
}

/** An answer that is no success. `epoch`: that of the write, if it was one. */
export function failureOf(answer: Answer, epoch = 0): Failure {
  const { status, retryAfterMs } = answer
  const problem = jsonOrNull(answer, problemSchema)
  if (problem === null) return strangeAnswer(edge, status, retryAfterMs)
  const held = refusalOf(answer)
  if (status === 409 && held !== null) return conflictWith(held, epoch)
  const remedy = remedies[problem.code]
  const message = `${edge}: ${problem.detail}${remedy === undefined ? '' : `; ${remedy}`}`
  return failure(kindOf(status, problem.code), problem.code, message, retryAfterMs)
}

function conflictWith(held: { readonly epoch: number; readonly revision: number }, epoch: number): Failure {
  if (held.epoch <= epoch) return failure('conflict', 'Changed', 'the route is no longer as it was observed')
  return failure('conflict', 'StaleEpoch', `epoch ${epoch} is lower than ${held.epoch}, which the edge holds`)
}

/** The object may have taken what it did not answer. A wrong setting stays wrong until somebody has put it right. */
function kindOf(status: number, code: string): Failure['kind'] {
  if (code === 'unclear') return 'unknown'
  return code === 'misconfigured' ? 'permanent' : kindOfStatus(status)
}

function jsonOrNull<Schema extends z.ZodType>(answer: Answer, schema: Schema): z.output<Schema> | null {
  try {
    const parsed = schema.safeParse(JSON.parse(answer.text))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
