/**
 * What EC2's actions do, by AWS's rules: functions of (state, request) that return the state after it.
 *
 *   ec2-addresses.ts    Elastic IPs          ec2-interfaces.ts   private addresses of both families
 *   ec2-routes.ts       route tables
 *
 * The rules are stricter than those of the usual imitations where AWS is, because an adapter that is only tested
 * against leniency fails in production.
 */
import { associateAddress, describeAddresses, disassociateAddress } from './ec2-addresses.ts'
import {
  assignIpv6Addresses,
  assignPrivateIpAddresses,
  describeNetworkInterfaces,
  unassignIpv6Addresses,
  unassignPrivateIpAddresses,
} from './ec2-interfaces.ts'
import { type Ec2Request, type Ec2Result, error, flag } from './ec2-request.ts'
import { createRoute, deleteRoute, describeRouteTables, replaceRoute } from './ec2-routes.ts'
import type { Ec2State } from './ec2-state.ts'

type Action = (state: Ec2State, request: Ec2Request, newId: string) => Ec2Result

/** Those that can be tried. The others know no parameter DryRun. */
const withDryRun: Readonly<Record<string, Action>> = {
  AssociateAddress: associateAddress,
  CreateRoute: createRoute,
  DeleteRoute: deleteRoute,
  DescribeAddresses: describeAddresses,
  DescribeNetworkInterfaces: describeNetworkInterfaces,
  DescribeRouteTables: describeRouteTables,
  DisassociateAddress: disassociateAddress,
  ReplaceRoute: replaceRoute,
}

const withoutDryRun: Readonly<Record<string, Action>> = {
  AssignIpv6Addresses: assignIpv6Addresses,
  AssignPrivateIpAddresses: assignPrivateIpAddresses,
  UnassignIpv6Addresses: unassignIpv6Addresses,
  UnassignPrivateIpAddresses: unassignPrivateIpAddresses,
}

/** Carries out one request. `newId` is the id that a new association will have. */
export function perform(state: Ec2State, request: Ec2Request, newId: string): Ec2Result {
  const { action } = request
  if (Object.hasOwn(withoutDryRun, action)) {
    if (request.params.DryRun !== undefined) {
      return error('UnknownParameter', 'The parameter DryRun is not recognized')
    }
    return withoutDryRun[action]!(state, request, newId)
  }
  if (!Object.hasOwn(withDryRun, action)) {
    return error('InvalidAction', `The action ${action} is not valid for this web service.`)
  }
  const result = withDryRun[action]!(state, request, newId)
  // Only a request that would have succeeded is told so.
  if (result.kind === 'answer' && flag(request, 'DryRun', false)) {
    return error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.')
  }
  return result
}
