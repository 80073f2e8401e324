/** What differs between runtimes in how the SDK reaches EC2. Each runtime has a `connection()` in its own folder. */
import type { EC2ClientConfig } from '@aws-sdk/client-ec2'

export type Connection = Pick<EC2ClientConfig, 'requestHandler' | 'credentials'>
