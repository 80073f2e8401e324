/**
 * A route that follows a service: one destination, in several route tables, to the network interface of the owner.
 *
 *   observe   DescribeRouteTables, by filter          where the route of each table leads; the token says it
 *             DescribeNetworkInterfaces, by filter    whether any candidate still checks source and destination
 *   apply     ReplaceRoute in each table, or CreateRoute where none was observed; when that is refused because there
 *             is none, or is one, the other           each table by itself; the last writer wins
 *   preflight dry runs of both in each table; each interface, and its source/destination check
 *
 * A black hole is no place, although it may lead to a node: its instance is stopped or gone. What a Route Server
 * advertises is foreign, and is never written.
 *
 * What the credentials must allow: ec2:DescribeRouteTables and ec2:DescribeNetworkInterfaces; ec2:ReplaceRoute and
 * ec2:CreateRoute on the route-tables.
 */
import { CreateRouteCommand, ReplaceRouteCommand } from '@aws-sdk/client-ec2'
import type { Adapter, AdapterInput, Failure, Move, Observation, Outcome } from '../adapter.ts'
import { createEc2, type Ec2Options, ec2Timing } from '../aws/ec2.ts'
import { isNoRoute } from '../aws/ec2-errors.ts'
import { observationOf, outcomeOf, placementOf } from '../aws/placement.ts'
import { noTarget, strangeAnswer } from '../failures.ts'
import { targetOf } from '../targets.ts'
import { preflight } from './preflight.ts'
import { advertised, type Binding, placementIn, type RouteInput, routeInput, routesOf } from './routes.ts'
import type { AwsRouteConfig, AwsRouteTarget } from './schema.ts'
import { sourceDestChecks } from './source-dest-check.ts'

export function createAwsRoute(input: AdapterInput<AwsRouteConfig, AwsRouteTarget>, options: Ec2Options = {}): Adapter {
  const binding: Binding = { ...input, ec2: createEc2(input.config, options) }
  return {
    capabilities: { cas: 'none', dryRun: true, ipv6: true, ...ec2Timing },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => binding.ec2.dispose(),
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const [called, checks] = await Promise.all([routesOf(binding, signal), sourceDestChecks(binding, signal)])
  if (called.kind !== 'answered') return { kind: 'unknown', failure: called }
  const placement = placementIn(called.answer)
  const raw = { destination: binding.config.destination, ...placement, ...checks }
  return observationOf(placement, binding.targets, raw)
}

async function apply(binding: Binding, move: Move, signal: AbortSignal): Promise<Outcome> {
  const to = targetOf(binding.targets, move.node)?.networkInterfaceId
  if (to === undefined) return noTarget(move.node)
  const placement = placementOf(move.token)
  // Also where it was observed to lead there: a write of ours to somewhere else may only be invisible yet.
  const parts = binding.config.routeTables.map(async (table) => {
    return { part: table, outcome: await write(binding, { table, to, place: placement[table] }, signal) }
  })
  return outcomeOf(await Promise.all(parts))
}

type Write = {
  readonly table: string
  readonly to: string
  /** Where it was observed to lead; undefined: not observed. */
  readonly place: string | null | undefined
}

async function write(binding: Binding, { table, to, place }: Write, signal: AbortSignal): Promise<Outcome> {
  if (place === advertised) return routeServers(binding)
  const input = routeInput(binding, table, to)
  if (place === null) {
    const created = await create(binding, input, signal)
    return created.kind === 'conflict' && created.code === 'RouteAlreadyExists'
      ? replace(binding, input, signal)
      : created
  }
  const replaced = await replace(binding, input, signal)
  return replaced.kind === 'conflict' && isNoRoute(replaced) ? create(binding, input, signal) : replaced
}

function routeServers({ config }: Binding): Failure {
  const message = `a Route Server advertises ${config.destination} there; take it away there, or the table from here`
  return { kind: 'permanent', code: 'RouteServer', message }
}

async function create({ ec2 }: Binding, input: RouteInput, signal: AbortSignal): Promise<Outcome> {
  const command = new CreateRouteCommand(input)
  const called = await ec2.ask((client, options) => client.send(command, options), signal)
  if (called.kind !== 'answered') return called
  return called.answer.Return === true ? { kind: 'done' } : strangeAnswer('EC2', 200)
}

async function replace({ ec2 }: Binding, input: RouteInput, signal: AbortSignal): Promise<Outcome> {
  const command = new ReplaceRouteCommand(input)
  const called = await ec2.ask((client, options) => client.send(command, options), signal)
  if (called.kind !== 'answered') return called
  // It says nothing but who answers, which a page of somebody else's does not.
  return called.answer.$metadata.requestId === undefined ? strangeAnswer('EC2', 200) : { kind: 'done' }
}
