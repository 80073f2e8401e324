/** Values that several keys of the agent's configuration have in common. */
import { z } from 'zod'
import { nearest } from '../../control/config/config-file.ts'

/** The name of an interface; one of this machine's, where those are known. */
export function interfaceSchema(interfaces: readonly string[] | undefined) {
  return z
    .string()
    .min(1)
    .max(15)
    .superRefine((name, context) => {
      if (interfaces === undefined || interfaces.includes(name)) return
      const near = nearest(name, interfaces)
      const hint =
        near === undefined ? `it has ${interfaces.join(', ')}` : `did you mean ${near}? it has ${interfaces.join(', ')}`
      context.addIssue({ code: 'custom', message: `there is no interface ${name} on this machine`, params: { hint } })
    })
}

export type Endpoint = { readonly host: string; readonly port: number }

/** `host:port`; an IPv6 address stands in brackets. */
export const endpointSchema = z.string().transform((text, context): Endpoint => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match !== null && port >= 1 && port <= 65_535) return { host: match[1] ?? match[2]!, port }
  const params = { hint: 'write a host and a port, such as 10.77.0.1:9556 or "[fd77::1]:9556"' }
  context.issues.push({ code: 'custom', input: text, message: `must be host:port; got "${text}"`, params })
  return z.NEVER
})

/** What a service does when control is lost. */
export const onLostSchema = z.enum(['hold', 'release', 'failsafe']).default('hold')
