/** What preflight has to say of any token and zone of Cloudflare. */
import { z } from 'zod'
import type { Failure, Finding } from '../adapter.ts'

export const passed = (check: string): Finding => ({ check, result: 'passed', message: null })
export const wrong = (check: string, message: string): Finding => ({ check, result: 'failed', message })
export const untried = (check: string, message: string): Finding => ({ check, result: 'untried', message })

/** What could not be asked is no verdict. */
export function failed(check: string, { kind, code, message }: Failure): Finding {
  return { check, result: kind === 'permanent' ? 'failed' : 'untried', message: `${code}: ${message}` }
}

/** What is used of a zone. `permissions` is what the token may do there, where Cloudflare says so. */
export const zoneSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string().optional(),
  account: z.object({ id: z.string().optional() }).optional(),
  permissions: z.array(z.string()).optional(),
})
export type Zone = z.output<typeof zoneSchema>

export const verifiedSchema = z.object({ id: z.string(), status: z.string(), expires_on: z.string().optional() })

const soonMs = 14 * 24 * 3_600_000

/** A token that works today and not in two weeks is a failure that can still be prevented. */
export function tokenFinding({ status, expires_on }: z.output<typeof verifiedSchema>, now: Date): Finding {
  const check = 'the token is active'
  if (status !== 'active') return wrong(check, `it is ${status}: make a new one`)
  const left = Date.parse(expires_on ?? '') - now.getTime()
  return left < soonMs ? wrong(check, `it expires at ${expires_on}: make a new one, or extend it`) : passed(check)
}

/** Whether the token may write what `permission` names: `#dns_records:edit`. */
export function writeFinding(check: string, { permissions = [] }: Zone, permission: string): Finding {
  if (permissions.includes(permission)) return passed(check)
  return permissions.length === 0
    ? untried(check, 'Cloudflare can only be asked to do it: compare the token with holdfast adapters policy')
    : wrong(check, `the token may not: of ${permission} nothing is said among ${permissions.join(' ')}`)
}
