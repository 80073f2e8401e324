/**
 * What differs between runtimes in how the SDK reaches AWS. Each runtime has these in its own folder:
 *
 *   connection()                       how the SDK is set up, the same for the clients of all services
 *   credentialFailure(error, signal)   why there were no credentials, from what the SDK threw
 *   credentialSource()                 where they are sought last, for people
 */
import type { EC2ClientConfig } from '@aws-sdk/client-ec2'

export type Connection = Pick<EC2ClientConfig, 'requestHandler' | 'credentials'>
