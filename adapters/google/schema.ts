/** Fields that the configurations of all adapters for Google Cloud have. */
import { z } from 'zod'
import { secretSchema } from '../secret.ts'
import { baseUrl } from '../url.ts'

const endpoint = baseUrl('https://api.example.com')

/** What most names of Google Cloud are like. */
export const resourceName = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/

export function projectSchema(what: string) {
  return z
    .string()
    .regex(/^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,61}[a-z0-9]$/, 'a project id is like my-project-123')
    .describe(what)
}

export const access = {
  credentials: secretSchema.optional(),
  endpoint: endpoint.optional().describe("another Compute Engine API than Google's: a private or a local one"),
  tokenEndpoint: endpoint.optional().describe("another token endpoint than the key's own, or another metadata server"),
}
