/** `checks:` of the agent's configuration: each one probes in one way, and what its keys leave out has a default. */
import { z } from 'zod'
import { duration } from '../../control/config/config-file.ts'
import { nameSchema } from '../../control/contract.ts'
import type { Check, Probe, ServiceCheck } from '../checks/check.ts'
import { endpointSchema, interfaceSchema } from './fields.ts'

const probes = ['http', 'tcp', 'interface', 'exec'] as const

/**
 * An interface's carrier is what the kernel knows, not a sample: one look is a verdict, and looking often costs nothing.
 * What answers over a network may miss once.
 */
const defaults = {
  interface: { interval: 250, rise: 1, fall: 1 },
  others: { interval: 1_000, rise: 2, fall: 3 },
} as const

export function checkSchema(interfaces: readonly string[] | undefined) {
  return z
    .strictObject({
      http: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('such as http://127.0.0.1:8080/healthz'),
      tcp: endpointSchema.optional(),
      interface: interfaceSchema(interfaces).optional(),
      exec: z.array(z.string().min(1)).min(1).max(64).optional(),
      status: statusSchema.optional(),
      interval: duration({ min: '50ms', max: '1h' }).optional(),
      timeout: duration({ min: '10ms', max: '1h' }).optional(),
      rise: z.int().min(1).max(100).optional(),
      fall: z.int().min(1).max(100).optional(),
    })
    .transform((keys, context): Check => {
      const refuse = (key: string | undefined, message: string, hint: string): void => {
        const path = key === undefined ? [] : [key]
        context.issues.push({ code: 'custom', input: keys, path, message, params: { hint } })
      }
      const given = probes.filter((probe) => keys[probe] !== undefined)
      if (given.length !== 1) {
        const message = given.length === 0 ? 'probes nothing' : `has ${given.join(' and ')}`
        refuse(given[1], message, `write exactly one of ${probes.join(', ')}`)
        return z.NEVER
      }
      const unset = given[0] === 'interface' ? defaults.interface : defaults.others
      const { interval = unset.interval, rise = unset.rise, fall = unset.fall } = keys
      const { timeout = interval } = keys
      if (keys.status !== undefined && keys.http === undefined) refuse('status', 'is for http only', 'leave it out')
      if (keys.timeout !== undefined && keys.interface !== undefined)
        refuse('timeout', 'is not for an interface', 'leave it out: looking at it takes no time')
      if (timeout > interval) refuse('timeout', 'must not be longer than the interval', `write at most ${interval}ms`)
      if (keys.exec !== undefined && !keys.exec[0]!.startsWith('/'))
        refuse('exec', `${keys.exec[0]} is no absolute path`, 'write where the program is, such as /usr/bin/test')
      return { probe: toProbe(keys), intervalMs: interval, timeoutMs: timeout, rise, fall }
    })
}

/** One status, or a range of them. */
const statusSchema = z.union([z.int(), z.string()]).transform((value, context) => {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(value))
  const from = Number(match?.[1])
  const to = Number(match?.[2] ?? match?.[1])
  if (match !== null && from <= to) return { from, to }
  const params = { hint: 'write a status or a range of them, such as 200 or 200-399' }
  context.issues.push({ code: 'custom', input: value, message: `must be 100..599; got "${value}"`, params })
  return z.NEVER
})

type Keys = {
  readonly http?: string | undefined
  readonly tcp?: { readonly host: string; readonly port: number } | undefined
  readonly interface?: string | undefined
  readonly exec?: readonly string[] | undefined
  readonly status?: { readonly from: number; readonly to: number } | undefined
}

function toProbe({ http, tcp, interface: name, exec, status = { from: 200, to: 399 } }: Keys): Probe {
  if (http !== undefined) return { kind: 'http', url: http, status }
  if (tcp !== undefined) return { kind: 'tcp', ...tcp }
  return name !== undefined ? { kind: 'interface', name } : { kind: 'exec', command: exec! }
}

/** How a service names a check: `app`, or `{check: uplink, weight: -20}`. */
export const serviceCheckSchema = z.union([
  nameSchema.transform((check): ServiceCheck => ({ check, weight: null })),
  z.strictObject({
    check: nameSchema,
    weight: z
      .int()
      .min(-253)
      .max(253)
      .refine((weight) => weight !== 0, {
        message: 'must not be 0',
        params: { hint: 'leave it out: a failed check then means fault' },
      }),
  }),
])
