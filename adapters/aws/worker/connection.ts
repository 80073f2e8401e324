/**
 * How the SDK reaches AWS from a Cloudflare Worker: by `fetch`, with credentials from the Worker's secrets, which are
 * the only place there is. Read again when they are refused, so that a secret that was replaced needs no restart.
 */
import type { Failure } from '../../adapter.ts'
import { failure } from '../../failures.ts'
import type { Connection } from '../connection.ts'

export function connection(): Connection {
  return {
    credentials: async () => {
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
      if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) {
        throw new Error(missing)
      }
      return {
        accessKeyId: AWS_ACCESS_KEY_ID,
        secretAccessKey: AWS_SECRET_ACCESS_KEY,
        ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
      }
    },
  }
}

export const credentialSource = (): string => "the Worker's environment"

export async function credentialFailure(_error: unknown, _signal: AbortSignal): Promise<Failure> {
  return failure('permanent', 'NoCredentials', missing)
}

const missing =
  'the Worker has no credentials for AWS: npx wrangler secret put AWS_ACCESS_KEY_ID, and the same for AWS_SECRET_ACCESS_KEY'
