/** The records that a name may have for a node, and what makes two values the same. */
import { z } from 'zod'
import { dnsNameSchema, normalisedName } from './names.ts'

export const recordTypes = ['A', 'AAAA', 'CNAME'] as const
export type RecordType = (typeof recordTypes)[number]

export type RecordSet = { readonly type: RecordType; readonly values: readonly string[] }

const hint = 'a target is {a: [192.0.2.10], aaaa: [2001:db8::10]} or {cname: n1.example.com}'

/** What a name points at for a node: addresses of either family or both, or another name. */
export const dnsTargetSchema = z
  .strictObject({
    a: z.array(z.ipv4('an IPv4 address is like 192.0.2.10')).min(1).max(100).optional().describe('its IPv4 addresses'),
    aaaa: z
      .array(z.ipv6('an IPv6 address is like 2001:db8::10'))
      .min(1)
      .max(100)
      .optional()
      .describe('its IPv6 addresses'),
    cname: dnsNameSchema.optional().describe('another name instead of addresses'),
  })
  .refine(({ a, aaaa, cname }) => (cname === undefined) !== (a === undefined && aaaa === undefined), hint)

export type DnsTarget = z.output<typeof dnsTargetSchema>

/** The sets that a target is, each value in its one form. */
export function recordSetsOf({ a, aaaa, cname }: DnsTarget): readonly RecordSet[] {
  const sets: readonly RecordSet[] = [
    { type: 'A', values: a ?? [] },
    { type: 'AAAA', values: aaaa ?? [] },
    { type: 'CNAME', values: cname === undefined ? [] : [cname] },
  ]
  return sets
    .filter(({ values }) => values.length > 0)
    .map(({ type, values }) => ({ type, values: sameOnce(values.map((value) => canonicalValue(type, value))) }))
}

/** One text for whatever means the same: an address however it was written, a name in any case. */
export function canonicalValue(type: RecordType, value: string): string {
  if (type === 'CNAME') return normalisedName(value)
  if (type === 'A') return value
  const url = `http://[${value}]/`
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : value.toLowerCase()
}

/** Whether two lists of sets say the same, in whatever order. */
export function sameRecords(one: readonly RecordSet[], other: readonly RecordSet[]): boolean {
  return textOf(one) === textOf(other)
}

function textOf(sets: readonly RecordSet[]): string {
  const lines = sets.map(({ type, values }) => {
    return `${type} ${sameOnce(values.map((value) => canonicalValue(type, value))).join(' ')}`
  })
  return lines.sort().join('\n')
}

function sameOnce(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort()
}
