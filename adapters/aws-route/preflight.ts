/** Whether a route could be moved to each node, by AWS's dry runs and by what can be seen of tables and interfaces. */
import { CreateRouteCommand, ReplaceRouteCommand } from '@aws-sdk/client-ec2'
import type { Finding } from '../adapter.ts'
import { dryRun, failed, findingOf, tryInterfaces, untried } from '../aws/trial.ts'
import { advertised, type Binding, type Routes, routeInput, routesOf } from './routes.ts'
import { whyNotRouted } from './source-dest-check.ts'

export async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const [interfaces, tables] = await Promise.all([
    tryInterfaces(binding, whyNotRouted, signal),
    tryTables(binding, signal),
  ])
  return [...interfaces, ...tables]
}

async function tryTables(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { routeTables } = binding.config
  const called = await routesOf(binding, signal)
  if (called.kind !== 'answered') return [findingOf(`ec2:DescribeRouteTables ${routeTables.join(', ')}`, called)]
  const routes = called.answer
  const tried: Finding[] = []
  // One after the other, since dry runs are of the same small bucket as the writes of a move.
  for (const table of routeTables) tried.push(...(await tryTable(binding, { table, routes }, signal)))
  return tried
}

async function tryTable(
  binding: Binding,
  { table, routes }: { readonly table: string; readonly routes: Routes },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { config, ec2, targets } = binding
  const route = routes[table]
  const check = `route table ${table}`
  if (route === undefined) return [failed(check, 'there is no such route table in this region and account')]
  if (route?.Origin === 'Advertisement') {
    return [failed(check, `${config.destination} is ${advertised}, and is not written; take it away there or here`)]
  }
  const to = Object.values(targets)[0]?.networkInterfaceId
  if (to === undefined) return []
  // To whom it leads makes no difference to what is permitted: that depends on the table.
  const input = { ...routeInput(binding, table, to), DryRun: true }
  const replace = new ReplaceRouteCommand(input)
  const create = new CreateRouteCommand(input)
  const name = `${config.destination} in ${table}`
  const [replaced, created] = await Promise.all([
    dryRun(ec2, `ec2:ReplaceRoute ${name}`, (client, options) => client.send(replace, options), signal),
    dryRun(ec2, `ec2:CreateRoute ${name}`, (client, options) => client.send(create, options), signal),
  ])
  const [fitting, other] = route === null ? [created, replaced] : [replaced, created]
  return [fitting, other.result === 'untried' ? untried(other.check, reasons[route === null ? 'none' : 'one']) : other]
}

/** EC2 may refuse a dry run because of what is there, before it says whether it would be permitted. */
const reasons = {
  none: 'it cannot be tried while there is no such route',
  one: 'it cannot be tried while there is such a route',
} as const
