/** Where secrets are found in a Cloudflare Worker: among its own secrets, which are its environment. */
import type { SecretPlace } from '../../secret.ts'
import type { Found } from '../found.ts'

export async function findSecret(place: SecretPlace): Promise<Found> {
  if (!('env' in place))
    return { missing: 'a Worker has no files: write {env: NAME}, and set it by wrangler secret put' }
  const value = process.env[place.env]
  return value === undefined
    ? { missing: `the Worker has no secret ${place.env}: npx wrangler secret put ${place.env}` }
    : { value }
}
