/** What the codes of the EC2 API mean, beside those that all of AWS shares. */
import type { ErrorTable } from './errors.ts'

export const ec2Errors: ErrorTable = {
  provider: 'EC2',
  codes: {
    EC2ThrottledException: 'throttled',
    // Eventual consistency, and machines that are still starting.
    'InvalidInstanceID.NotFound': 'retry',
    'InvalidNetworkInterfaceID.NotFound': 'retry',
    IncorrectInstanceState: 'retry',
    // The resource is not as it was observed.
    'Resource.AlreadyAssociated': 'conflict',
    'InvalidAssociationID.NotFound': 'conflict',
    'InvalidIPAddress.InUse': 'conflict',
    RouteAlreadyExists: 'conflict',
    'InvalidRoute.NotFound': 'conflict',
    // A person must act.
    'InvalidAllocationID.NotFound': 'permanent',
    'InvalidAddress.NotFound': 'permanent',
    'InvalidRouteTableID.NotFound': 'permanent',
    OperationNotPermitted: 'permanent',
    PrivateIpAddressLimitExceeded: 'permanent',
    RouteLimitExceeded: 'permanent',
  },
  // Codes without a fixed spelling or meaning: what is meant stands in the message only.
  kindOf: (code, message) => {
    if (code === 'InvalidInstanceID' && /pending/i.test(message)) return 'retry'
    return code === 'InvalidParameterValue' && notAsObserved.test(message) ? 'conflict' : undefined
  },
}

/** A route to replace that is not there; an address that is elsewhere than it was. */
const notAsObserved = /no route defined|not assigned to interface|already assigned/i

/** ReplaceRoute about a route that CreateRoute would make. */
export function isNoRoute({ code, message }: { readonly code: string; readonly message: string }): boolean {
  return code === 'InvalidParameterValue' && /no route defined/i.test(message)
}

/** Unassigning an address that the interface does not have, which is what was wanted of it. */
export function isNotAssigned({ code, message }: { readonly code: string; readonly message: string }): boolean {
  return code === 'InvalidParameterValue' && /not assigned to interface/i.test(message)
}
