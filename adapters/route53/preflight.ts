/** Tries what a move in Route 53 would need, changing nothing. */
import { GetChangeCommand, GetHostedZoneCommand } from '@aws-sdk/client-route-53'
import type { Failure, Finding } from '../adapter.ts'
import { isWithin, normalisedName } from '../dns/names.ts'
import { recordSetsOf } from '../dns/records.ts'
import type { Binding } from './adapter.ts'
import { readName } from './read-name.ts'
import { blockOf } from './zone.ts'

export async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const zone = await zoneFinding(binding, signal)
  const records = await recordsFinding(binding, signal)
  const change = await changeFinding(binding, signal)
  return [...zone, records, change, ...moveFindings(binding)]
}

/** The zone exists, and the name belongs there. */
async function zoneFinding({ client, config, targets, call }: Binding, signal: AbortSignal): Promise<Finding[]> {
  const check = `route53:GetHostedZone ${config.hostedZoneId}`
  const command = new GetHostedZoneCommand({ Id: config.hostedZoneId })
  const called = await call((abortSignal) => client.send(command, { abortSignal }), signal)
  if (called.kind !== 'answered') return [failed(check, called)]
  const zone = called.answer.HostedZone?.Name
  if (zone === undefined)
    return [{ check, result: 'failed', message: 'the answer names no zone: is the endpoint right?' }]
  const named = `${config.name} lies in the zone ${normalisedName(zone)}`
  const isApex = config.name === normalisedName(zone)
  const aliases = Object.entries(targets).filter(([, { cname }]) => cname !== undefined)
  const message = !isWithin(config.name, zone)
    ? `it does not: ${config.hostedZoneId} is the zone ${normalisedName(zone)}; correct hostedZoneId or name`
    : isApex && aliases.length > 0
      ? `the name of the zone itself can have no CNAME: give ${aliases.map(([node]) => node).join(', ')} addresses`
      : null
  return [
    { check, result: 'passed', message: null },
    { check: named, result: message === null ? 'passed' : 'failed', message },
  ]
}

async function recordsFinding(binding: Binding, signal: AbortSignal): Promise<Finding> {
  const { config } = binding
  const check = `route53:ListResourceRecordSets ${config.hostedZoneId} from ${config.name}`
  const read = await readName(binding, signal)
  if (read.kind !== 'read') return failed(check, read)
  const blocked = blockOf(read.sets, config)
  return { check, result: blocked === null ? 'passed' : 'failed', message: blocked }
}

/** No change has this id, so that being told so is being allowed to ask. */
const noChange = 'C0HOLDFASTPREFLIGHT'

async function changeFinding({ client, call }: Binding, signal: AbortSignal): Promise<Finding> {
  const check = 'route53:GetChange'
  const command = new GetChangeCommand({ Id: noChange })
  const called = await call((abortSignal) => client.send(command, { abortSignal }), signal)
  const allowed = called.kind === 'answered' || ['NoSuchChange', 'InvalidInput'].includes(called.code)
  return allowed ? { check, result: 'passed', message: null } : failed(check, called)
}

function moveFindings({ config, targets }: Binding): Finding[] {
  return Object.entries(targets).map(([node, target]) => {
    const records = recordSetsOf(target).map(({ type, values }) => `${type} ${values.join(' ')}`)
    return {
      check: `route53:ChangeResourceRecordSets ${config.name} to ${records.join(', ')} (${node})`,
      result: 'untried',
      message: 'Route 53 can only be asked to do it: compare the policy with that of holdfast adapters policy',
    }
  })
}

/** What could not be asked is no verdict. */
function failed(check: string, failure: Failure): Finding {
  const result = failure.kind === 'permanent' ? 'failed' : 'untried'
  return { check, result, message: `${failure.code}: ${failure.message}` }
}
