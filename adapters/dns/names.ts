/** Names of DNS as people write them, as providers answer them, and what makes them the same. */
import { z } from 'zod'

/** Small letters, no dot at the end, and a wildcard as `*`, which Route 53 answers as `\052`. */
export function normalisedName(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\\052\./, '*.')
}

/** Whether `name` is `zone`, or below it. */
export function isWithin(name: string, zone: string): boolean {
  const [inner, outer] = [normalisedName(name), normalisedName(zone)]
  return inner === outer || inner.endsWith(`.${outer}`)
}

const label = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
const hint = 'a name is like vip.example.com or *.vip.example.com'

/** A zone: a name without a wildcard, which may also be one word, as `internal` at home. */
export const zoneNameSchema = z
  .string()
  .max(230, 'a name has at most 230 characters')
  .regex(new RegExp(`^${label}(?:\\.${label})*\\.?$`), 'a zone is like example.com or internal')
  .transform(normalisedName)

/** A name that a binding moves or points at; normalised. Shorter than DNS allows: the epoch record is named after it. */
export const dnsNameSchema = z
  .string()
  .max(230, 'a name has at most 230 characters')
  .regex(new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})+\\.?$`), hint)
  .transform(normalisedName)
