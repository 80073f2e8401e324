/**
 * Whether an interface takes only what is addressed to itself, as EC2 makes them. A route to such a one leads nowhere,
 * and nothing in the route shows it; so it is looked at with every observation, and not only when it hurts.
 */
import type { NetworkInterface } from '@aws-sdk/client-ec2'
import type { Raw } from '../adapter.ts'
import { interfacesOf } from '../aws/trial.ts'
import type { Binding } from './routes.ts'

/** For the operator who looks, by interface. An observation does not fail for it. */
export async function sourceDestChecks({ ec2, targets }: Binding, signal: AbortSignal): Promise<Raw> {
  const all = Object.entries(targets)
  if (all.length === 0) return {}
  const ids = all.map(([, { networkInterfaceId }]) => networkInterfaceId)
  const called = await interfacesOf(ec2, ids, signal)
  if (called.kind !== 'answered') return { sourceDestCheck: `not known: ${called.code}` }
  const checks = all.map(([node, { networkInterfaceId }]) => {
    const found = called.answer.get(networkInterfaceId)
    const check = found === undefined ? 'there is no such interface' : (whyNotRouted(found) ?? 'off')
    return [`sourceDestCheck of ${networkInterfaceId} (${node})`, check] as const
  })
  return Object.fromEntries(checks)
}

/** Null: nothing keeps it from taking what a route brings. */
export function whyNotRouted({ NetworkInterfaceId, SourceDestCheck }: NetworkInterface): string | null {
  if (SourceDestCheck === false) return null
  return `its source/destination check is on, so that it drops what the route brings; aws ec2 \
modify-network-interface-attribute --no-source-dest-check --network-interface-id ${NetworkInterfaceId ?? 'eni-…'}`
}
