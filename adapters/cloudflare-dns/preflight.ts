/** Tries what a move in a zone of Cloudflare would need, changing nothing. */
import type { Finding } from '../adapter.ts'
import { failed, passed, untried, writeFinding, wrong, type Zone, zoneSchema } from '../cloudflare/preflight.ts'
import { verifyToken } from '../cloudflare/verify.ts'
import { isWithin, normalisedName } from '../dns/names.ts'
import { recordSetsOf } from '../dns/records.ts'
import type { Binding, Client } from './adapter.ts'
import { readName } from './read-name.ts'
import { ttlOf } from './schema.ts'
import { blockOf } from './zone.ts'

export async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config } = binding
  const check = `zone ${config.zoneId} can be read`
  const request = { send: (client: Client) => client.zones.get({ zone_id: config.zoneId }), result: zoneSchema }
  const called = await binding.call(request, signal)
  const zone = called.kind === 'answered' ? called.result : null
  const token = await verifyToken(config, zone?.account?.id, signal)
  const records = await recordsFinding(binding, signal)
  if (called.kind !== 'answered') return [token, failed(check, called), records]
  return [
    token,
    passed(check),
    ...zoneFindings(binding, called.result),
    records,
    ...moveFindings(binding, called.result),
  ]
}

function zoneFindings({ config, targets }: Binding, { name, status }: Zone): Finding[] {
  const within = `${config.name} lies in the zone ${normalisedName(name)}`
  const isApex = config.name === normalisedName(name)
  const aliases = Object.entries(targets).filter(([, { cname }]) => cname !== undefined)
  return [
    isWithin(config.name, name)
      ? passed(within)
      : wrong(within, `it does not: ${config.zoneId} is the zone ${normalisedName(name)}; correct zoneId or name`),
    ...(status === undefined || status === 'active'
      ? []
      : [wrong('the zone is active', `it is ${status}: nobody asks Cloudflare for its names yet`)]),
    ...(ttlOf(config) >= 60 || config.proxied || ttlOf(config) === 1
      ? []
      : [untried(`a ttl of ${ttlOf(config)} s`, 'only zones of the Enterprise plan have it; others take 60 and more')]),
    ...(isApex && aliases.length > 0
      ? [untried('the CNAME of the zone itself', 'Cloudflare flattens it: resolvers are given addresses instead')]
      : []),
  ]
}

async function recordsFinding(binding: Binding, signal: AbortSignal): Promise<Finding> {
  const { config } = binding
  const check = `the records of ${config.name} can be read`
  const read = await readName(binding, signal)
  if (read.kind !== 'read') return failed(check, read)
  const blocked = blockOf(read.found, config)
  return blocked === null ? passed(check) : wrong(check, blocked)
}

function moveFindings({ config, targets }: Binding, zone: Zone): Finding[] {
  return Object.entries(targets).map(([node, target]) => {
    const records = recordSetsOf(target).map(({ type, values }) => `${type} ${values.join(' ')}`)
    return writeFinding(`${config.name} may be moved to ${records.join(', ')} (${node})`, zone, '#dns_records:edit')
  })
}
