/** What differs between runtimes in how the SDK reaches AWS. Each runtime has a `connection()` in its own folder. */
import type { EC2ClientConfig } from '@aws-sdk/client-ec2'

/** The same for the clients of all services. */
export type Connection = Pick<EC2ClientConfig, 'requestHandler' | 'credentials'>
