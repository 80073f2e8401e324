/** Asks Cloudflare whether a token is one: its owner is a user or an account, and each is asked elsewhere. */
import type { ClientOptions } from 'cloudflare'
import { BaseTokens as AccountTokens } from 'cloudflare/resources/accounts/tokens/tokens'
import { BaseTokens as UserTokens } from 'cloudflare/resources/user/tokens/tokens'
import { createClient } from 'cloudflare/tree-shakable'
import type { Finding } from '../adapter.ts'
import { type Account, call } from './call.ts'
import { failed, tokenFinding, verifiedSchema } from './preflight.ts'

const connect = (options: ClientOptions) => createClient({ ...options, resources: [UserTokens, AccountTokens] })
type Client = ReturnType<typeof connect>

export async function verifyToken(
  account: Account,
  accountId: string | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  const verify = (send: (client: Client) => PromiseLike<unknown>) => {
    return call(account, { connect, send, result: verifiedSchema }, signal)
  }
  const ofUser = await verify((client) => client.user.tokens.verify())
  const called =
    ofUser.kind === 'permanent' && accountId !== undefined
      ? await verify((client) => client.accounts.tokens.verify({ account_id: accountId }))
      : ofUser
  return called.kind === 'answered' ? tokenFinding(called.result, new Date()) : failed('the token is active', called)
}
