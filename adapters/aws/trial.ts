/** Trials of EC2 calls that change nothing: by AWS's own dry run where an action has one. */
import type { EC2Client, NetworkInterface } from '@aws-sdk/client-ec2'
import { DescribeNetworkInterfacesCommand } from '@aws-sdk/client-ec2'
import type { Failure, Finding } from '../adapter.ts'
import { strangeAnswer } from '../failures.ts'
import type { Called } from './call.ts'
import type { Ec2 } from './ec2.ts'

export function passed(check: string): Finding {
  return { check, result: 'passed', message: null }
}

export function failed(check: string, message: string): Finding {
  return { check, result: 'failed', message }
}

export function untried(check: string, message: string): Finding {
  return { check, result: 'untried', message }
}

/** What a failure means for a trial: only what a person must change has failed, the rest was not found out. */
export function findingOf(check: string, { kind, code, message }: Failure): Finding {
  return kind === 'permanent' ? failed(check, `${code}: ${message}`) : untried(check, `${code}: ${message}`)
}

/** Tries one call whose command says DryRun; EC2 answers with an error in any case. */
export async function dryRun(
  ec2: Ec2,
  check: string,
  send: (client: EC2Client, options: { readonly abortSignal: AbortSignal }) => Promise<unknown>,
  signal: AbortSignal,
): Promise<Finding> {
  const called = await ec2.ask(send, signal)
  if (called.kind === 'answered') {
    return untried(check, 'the provider ignored that it was a dry run; it is no AWS, or something answers for it')
  }
  return called.code === 'DryRunOperation' ? passed(check) : findingOf(check, called)
}

export type Interfaces = ReadonlyMap<string, NetworkInterface>

/** The interfaces that exist among `ids`. By filter, because by id a missing one would hide the others. */
export async function interfacesOf(ec2: Ec2, ids: readonly string[], signal: AbortSignal): Promise<Called<Interfaces>> {
  const Filters = [{ Name: 'network-interface-id', Values: [...new Set(ids)] }]
  const called = await ec2.ask(
    (client, options) => client.send(new DescribeNetworkInterfacesCommand({ Filters }), options),
    signal,
  )
  if (called.kind !== 'answered') return called
  if (called.answer.NetworkInterfaces === undefined) return strangeAnswer('EC2', 200)
  const found = called.answer.NetworkInterfaces.map((one) => [one.NetworkInterfaceId ?? '', one] as const)
  return { kind: 'answered', answer: new Map(found) }
}

/** Whether each node's interface exists, and what else `judge` has to say of it. Null: nothing is wrong with it. */
export async function tryInterfaces<Target extends { readonly networkInterfaceId: string }>(
  { ec2, targets }: { readonly ec2: Ec2; readonly targets: Readonly<Record<string, Target>> },
  judge: (found: NetworkInterface, target: Target) => string | null,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const all = Object.entries(targets)
  if (all.length === 0) return []
  const ids = all.map(([, { networkInterfaceId }]) => networkInterfaceId)
  const called = await interfacesOf(ec2, ids, signal)
  if (called.kind !== 'answered') return [findingOf(`ec2:DescribeNetworkInterfaces ${ids.join(', ')}`, called)]
  return all.map(([node, target]) => {
    const { networkInterfaceId } = target
    const check = `interface ${networkInterfaceId} (${node})`
    const found = called.answer.get(networkInterfaceId)
    if (found === undefined) return failed(check, 'there is no such interface in this region and account')
    const wrong = judge(found, target)
    return wrong === null ? passed(check) : failed(check, wrong)
  })
}
