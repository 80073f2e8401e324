/** What every binding at Cloudflare is configured with. Light: nothing of the SDK is imported here. */
import { z } from 'zod'
import type { Budget } from '../adapter.ts'
import { secretSchema } from '../secret.ts'
import { plainUrl } from '../url.ts'

/** An identifier as Cloudflare's dashboard and API show them. */
export function idSchema(what: string): z.ZodString {
  return z.string().regex(/^[0-9a-f]{32}$/, `${what} is like 023e105f4ecef8ad9ca31a8372d0c353`)
}

export const connectionShape = {
  token: secretSchema.describe('an API token, by the place where it is found'),
  endpoint: plainUrl('an endpoint is a URL like http://127.0.0.1:5000/client/v4')
    .optional()
    .describe("another API than Cloudflare's own, with its path"),
}

export const tokenExample = { env: 'HOLDFAST_SECRET_CLOUDFLARE' }

/**
 * Everything of one user or account counts together, the dashboard included, and who exceeds it is shut out of every call
 * for five minutes. All bindings are taken to share it, since most installations have one token.
 */
export function budgetOf(perLook: number): Budget {
  return { account: 'Cloudflare API', calls: 1_200, perMs: 300_000, perLook }
}
