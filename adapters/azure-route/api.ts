/**
 * What Azure Resource Manager's refusals mean, and how an operation of its own is followed: by the URL that it names.
 *
 *   Azure-AsyncOperation   says by its status how it is going
 *   Location               where there is no other: 202 while it is going on
 *
 * An operation that cannot be asked about was accepted all the same.
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { azureToken } from '../azure/token.ts'
import { failure } from '../failures.ts'
import { type Answer, jsonOf } from '../http.ts'
import type { Ended, Progress } from '../rest/accepted.ts'
import type { Calls } from '../rest/adapter.ts'
import { type Api, type Kinds, kindBy, refusalBy, saidIn, type Value } from '../rest/api.ts'
import type { AzureRouteConfig } from './schema.ts'

export const provider = 'Azure'

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

const kinds: Kinds = {
  AnotherOperationInProgress: 'retry',
  RetryableError: 'retry',
  // With 429, although it is no matter of too many calls.
  RetryableErrorDueToAnotherOperation: 'retry',
  ReferencedResourceNotProvisioned: 'retry',
  Canceled: 'conflict',
  CanceledAndSupersededDueToAnotherOperation: 'conflict',
  // With 409, but all for a person: a lock to remove, a provider to register, a subscription to pay for.
  ScopeLocked: 'permanent',
  MissingSubscriptionRegistration: 'permanent',
  ReadOnlyDisabledSubscription: 'permanent',
  ResourceGroupBeingDeleted: 'permanent',
  'HTTP 409': 'conflict',
  'HTTP 412': 'conflict',
}

export function apiOf({ endpoint = 'https://management.azure.com', ...config }: AzureRouteConfig): Api {
  return {
    provider,
    endpoint,
    sign: azureToken(config, endpoint),
    refusal: (answer) => {
      const said = saidIn(answer, errorSchema)?.error
      return said === undefined ? undefined : refusalBy(kinds, answer, said)
    },
  }
}

const operationSchema = z.object({
  status: z.string(),
  error: z.object({ code: z.string(), message: z.string().optional() }).nullish(),
})

type Operation = z.output<typeof operationSchema> & { readonly afterMs: number | undefined }

/** The end of a write that was answered so. */
export async function endOf(calls: Calls, endpoint: string, { headers, retryAfterMs }: Answer): Promise<Ended> {
  const byStatus = headers.get('azure-asyncoperation')
  const url = byStatus ?? headers.get('location')
  if (url === null) return { kind: 'done' }
  const path = pathBelow(endpoint, url)
  // The token is for nobody else.
  if (path === undefined) return { kind: 'unclear' }
  const look = async (): Promise<Value<Operation> | Failure> => {
    const answer = await calls.ask({ method: 'GET', path })
    if (answer.kind !== 'answered') return answer
    const { status, retryAfterMs: afterMs } = answer
    if (byStatus === null)
      return { kind: 'value', value: { status: status === 202 ? 'InProgress' : 'Succeeded', afterMs } }
    const said = jsonOf(answer, operationSchema, provider)
    return said.kind === 'value' ? { kind: 'value', value: { ...said.value, afterMs } } : said
  }
  return calls.follow<Operation>({ status: 'InProgress', afterMs: retryAfterMs }, { look, progress })
}

function progress({ status, error, afterMs }: Operation): Progress {
  if (status === 'Succeeded') return { kind: 'done' }
  if (status !== 'Failed' && status !== 'Canceled') return { kind: 'running', afterMs }
  const code = error?.code ?? status
  return failure(kindBy(kinds, code) ?? 'retry', code, error?.message ?? code)
}

/** Undefined: it is somewhere else. */
function pathBelow(endpoint: string, url: string): string | undefined {
  const base = new URL(`${endpoint}/`).href
  const href = URL.canParse(url) ? new URL(url).href : ''
  return href.startsWith(base) ? `/${href.slice(base.length)}` : undefined
}
