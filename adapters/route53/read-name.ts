/**
 * Reads the records of one name, and the epoch record beside them. A zone is a sorted list of which Route 53 answers a
 * page from any place on; the two names are most often on the same one.
 */
import { ListResourceRecordSetsCommand, type ListResourceRecordSetsCommandInput } from '@aws-sdk/client-route-53'
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { epochRecordName } from '../dns/epoch-record.ts'
import { normalisedName } from '../dns/names.ts'
import { strangeAnswer } from '../failures.ts'
import type { Binding } from './adapter.ts'
import { isMoving, type NameSets, setSchema, type ZoneSet } from './zone.ts'

const pageSize = 20
/** A name with more records than these pages hold has routing policies, and is none that this adapter writes. */
const mostPages = 5

type Place = Pick<ListResourceRecordSetsCommandInput, 'StartRecordName' | 'StartRecordType' | 'StartRecordIdentifier'>

/** What is used of a page. The SDK takes anything with status 200 for an answer in which everything is missing. */
const pageSchema = z.object({
  ResourceRecordSets: z.array(setSchema),
  IsTruncated: z.boolean(),
  NextRecordName: z.string().optional(),
  NextRecordType: z.string().optional(),
  NextRecordIdentifier: z.string().optional(),
})
type Page = z.output<typeof pageSchema>

export async function readName(
  binding: Binding,
  signal: AbortSignal,
): Promise<{ readonly kind: 'read'; readonly sets: NameSets } | Failure> {
  const { name } = binding.config
  let read: readonly ZoneSet[] = []
  let place: Place | null = { StartRecordName: name }
  for (let pages = 0; place !== null && pages < mostPages; pages += 1) {
    const page = await readPage(binding, place, signal)
    if (page.kind !== 'page') return page
    read = [...read, ...page.page.ResourceRecordSets]
    place = nextPlace(page.page)
    const passed = page.page.ResourceRecordSets.some((set) => normalisedName(set.Name) !== name)
    if (passed) break
  }
  const records = read.filter((set) => normalisedName(set.Name) === name && isMoving(set.Type))
  const near = epochSetsIn(read, name)
  // Found, or the zone has ended without it.
  if (near.length > 0 || place === null) return { kind: 'read', sets: { records, epoch: near } }
  const far = await readPage(binding, { StartRecordName: epochRecordName(name), StartRecordType: 'TXT' }, signal)
  if (far.kind !== 'page') return far
  return { kind: 'read', sets: { records, epoch: epochSetsIn(far.page.ResourceRecordSets, name) } }
}

async function readPage(
  { client, config, call }: Binding,
  place: Place,
  signal: AbortSignal,
): Promise<{ readonly kind: 'page'; readonly page: Page } | Failure> {
  const command = new ListResourceRecordSetsCommand({
    HostedZoneId: config.hostedZoneId,
    MaxItems: pageSize,
    ...place,
  })
  const called = await call((abortSignal) => client.send(command, { abortSignal }), signal)
  if (called.kind !== 'answered') return called
  const parsed = pageSchema.safeParse(called.answer)
  return parsed.success ? { kind: 'page', page: parsed.data } : strangeAnswer('Route 53', 200)
}

function nextPlace({ IsTruncated, NextRecordName, NextRecordType, NextRecordIdentifier }: Page): Place | null {
  if (!IsTruncated || NextRecordName === undefined) return null
  return {
    StartRecordName: NextRecordName,
    StartRecordType: NextRecordType as Place['StartRecordType'],
    StartRecordIdentifier: NextRecordIdentifier,
  }
}

function epochSetsIn(sets: readonly ZoneSet[], name: string): readonly ZoneSet[] {
  return sets.filter((set) => normalisedName(set.Name) === epochRecordName(name) && set.Type === 'TXT')
}
