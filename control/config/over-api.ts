/**
 * What of a declaration may only stand in control's own configuration file: secrets, which the database would hold in
 * clear, and what reaches into control's machine (its files, its programs, its environment), which an administrator of
 * the API is not one of. Adapters' schemas say so by `.meta({ secret: true })` and `.meta({ overApi: … })`.
 */
import type { z } from 'zod'
import { schemasAt } from './config-issues.ts'

/** `allows`: a pattern of what may come over the API all the same. Default: nothing may. */
export type OverApi = { readonly why: string; readonly allows?: string }

/** Whether what stands there is a secret, by the schema. */
export function isSecretAt(schema: z.ZodType, path: readonly PropertyKey[], root: unknown): boolean {
  return path.length > 0 && schemasAt(schema, path, root).some((candidate) => candidate.meta()?.secret === true)
}

/** Null: it may come over the API. */
export function whyNotOverApi(
  schema: z.ZodType,
  path: readonly PropertyKey[],
  root: unknown,
  value: unknown,
): string | null {
  if (path.length === 0 || value === undefined) return null
  for (const candidate of schemasAt(schema, path, root)) {
    const { secret, overApi } = (candidate.meta() ?? {}) as { secret?: boolean; overApi?: OverApi }
    if (secret === true) return 'is a secret, which control would store in clear'
    if (overApi === undefined) continue
    if (overApi.allows === undefined || !new RegExp(overApi.allows).test(String(value))) return overApi.why
  }
  return null
}
