/** `holdfast token create|list|revoke`: who may call control. A token is printed once, and nobody can show it again. */
import { type Access, askControl, callControl } from './client.ts'
import { UsageError } from './failure.ts'
import { ago, table } from './table.ts'

type Options = Access & { readonly json?: boolean }

type Token = {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly node: string | null
  readonly origin: 'file' | 'api'
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly valid: boolean
}

type CreateOptions = Options & {
  readonly role: string
  readonly node?: string
  readonly expires?: string
  readonly reason?: string
}

export async function runTokenCreateCommand(name: string, options: CreateOptions): Promise<void> {
  const { role, node, expires, reason, json = false } = options
  if (role === 'node' && node === undefined)
    throw new UsageError('a token with the role node needs --node and its name')
  if (role !== 'node' && node !== undefined) throw new UsageError('--node only goes with --role node')
  const body = {
    name,
    role,
    ...(node === undefined ? {} : { node }),
    ...(expires === undefined ? {} : { expiresIn: lengthOf(expires) }),
    ...(reason === undefined ? {} : { reason }),
  }
  const made = (await callControl(options, 'POST', '/v1/tokens', { has: ['token', 'id'], body })) as Token & {
    token: string
  }
  process.stdout.write(`${json ? JSON.stringify(made) : made.token}\n`)
  if (!json) process.stderr.write(advice(made))
}

/** The API counts in hours at most; people count in days. */
function lengthOf(expires: string): string {
  const days = /^(\d{1,4})d$/.exec(expires)?.[1]
  if (days !== undefined) return `${Number(days) * 24}h`
  if (/^\d+(\.\d+)?(s|m|h)$/.test(expires)) return expires
  throw new UsageError(`--expires ${expires} is not a length of time; write 12h or 30d`)
}

function advice({ id, name, role, node, expiresAt }: Token): string {
  const whose = node === null ? `the role ${role}` : `the role node, for ${node}`
  const until = expiresAt === null ? 'it never expires' : `it expires ${expiresAt}`
  return [
    `holdfast: made ${id} (${name}) with ${whose}; ${until}`,
    'holdfast: it is shown here once: keep it where only its user can read it, such as a file of mode 0600',
    `holdfast: when an older token of ${name} is no longer used: holdfast token list, then holdfast token revoke ID\n`,
  ].join('\n')
}

export async function runTokenListCommand(options: Options): Promise<void> {
  const { body, atMs } = await askControl(options, 'GET', '/v1/tokens', { has: ['tokens'] })
  const { tokens } = body as { tokens: Token[] }
  process.stdout.write(`${options.json ? JSON.stringify(tokens) : list(tokens, atMs)}\n`)
}

function list(tokens: readonly Token[], nowMs: number): string {
  const rows = tokens.map(({ id, name, role, node, origin, createdAt, expiresAt, valid }) => [
    id,
    name,
    node === null ? role : `${role} ${node}`,
    origin === 'file' ? 'configuration' : `made ${ago(createdAt, nowMs)} ago`,
    !valid ? 'expired' : (expiresAt?.slice(0, 16).concat('Z') ?? 'never'),
  ])
  return table([['ID', 'NAME', 'ROLE', 'FROM', 'EXPIRES'], ...rows])
}

export async function runTokenRevokeCommand(token: string, options: Options & { reason?: string }): Promise<void> {
  const query = options.reason === undefined ? '' : `?reason=${encodeURIComponent(options.reason)}`
  const path = `/v1/tokens/${encodeURIComponent(token)}${query}`
  const answer = (await callControl(options, 'DELETE', path, { has: ['revoked'] })) as { revoked: string[] }
  const text = `${answer.revoked.join(', ')} ${answer.revoked.length === 1 ? 'is' : 'are'} refused from now on`
  process.stdout.write(`${options.json ? JSON.stringify(answer) : text}\n`)
}
