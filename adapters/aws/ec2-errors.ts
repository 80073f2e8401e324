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
    // A person must act.
    'InvalidAllocationID.NotFound': 'permanent',
    'InvalidAddress.NotFound': 'permanent',
    'InvalidRouteTableID.NotFound': 'permanent',
    OperationNotPermitted: 'permanent',
    PrivateIpAddressLimitExceeded: 'permanent',
  },
  // EC2 has one code without a fixed spelling: InvalidInstanceID about an instance that is still pending.
  kindOf: (code, message) => (code === 'InvalidInstanceID' && /pending/i.test(message) ? 'retry' : undefined),
}
