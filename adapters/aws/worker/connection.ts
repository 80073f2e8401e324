/**
 * How the SDK reaches EC2 from a Cloudflare Worker: by `fetch`, with credentials from the Worker's secrets, which are
 * the only place there is. Read at each call, so that a secret that was replaced needs no restart.
 */
import type { Connection } from '../connection.ts'

export function connection(): Connection {
  return {
    credentials: async () => {
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
      if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) {
        throw Object.assign(new Error(missing), { name: 'CredentialsProviderError' })
      }
      return {
        accessKeyId: AWS_ACCESS_KEY_ID,
        secretAccessKey: AWS_SECRET_ACCESS_KEY,
        ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
      }
    },
  }
}

const missing =
  'the Worker has no credentials for AWS: npx wrangler secret put AWS_ACCESS_KEY_ID, and the same for AWS_SECRET_ACCESS_KEY'
