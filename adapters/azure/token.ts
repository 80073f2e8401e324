/** Tokens for Azure: by a client's credentials, whose secret lies in a secret place, or as the machine's managed identity. */
import type { Failure } from '../adapter.ts'
import type { Api, Span } from '../rest/api.ts'
import { askForToken, type Granted, tokenBy } from '../rest/token.ts'
import { readSecret, type SecretPlace } from '../secret.ts'

export type AzureCredentials = {
  /** Tenant, client and its secret: all or none. None: the managed identity of the machine. */
  readonly tenant?: string | undefined
  /** With a managed identity: which of several. */
  readonly clientId?: string | undefined
  readonly clientSecret?: SecretPlace | undefined
  readonly tokenEndpoint?: string | undefined
}

const metadataServer = 'http://169.254.169.254/metadata/identity/oauth2/token'

/** `resource`: whom tokens are for, like https://management.azure.com. */
export function azureToken(credentials: AzureCredentials, resource: string): Api['sign'] {
  const { clientSecret } = credentials
  return tokenBy((span) =>
    clientSecret === undefined
      ? ofMachine(credentials, resource, span)
      : ofClient(credentials, { clientSecret, resource }, span),
  )
}

async function ofMachine(
  { clientId, tokenEndpoint = metadataServer }: AzureCredentials,
  resource: string,
  span: Span,
): Promise<Granted | Failure> {
  const identity = clientId === undefined ? {} : { client_id: clientId }
  const query = new URLSearchParams({ 'api-version': '2018-02-01', resource: `${resource}/`, ...identity })
  const url = `${tokenEndpoint}?${query}`
  const granted = await askForToken({ method: 'GET', url, headers: { metadata: 'true' } }, 'the metadata server', span)
  // It says so while it is being updated, for a minute or so.
  const isAway = granted.kind === 'permanent' && ['HTTP 404', 'HTTP 410'].includes(granted.code)
  return isAway ? { ...granted, kind: 'retry' } : granted
}

async function ofClient(
  { tenant, clientId, tokenEndpoint }: AzureCredentials,
  { clientSecret, resource }: { readonly clientSecret: SecretPlace; readonly resource: string },
  span: Span,
): Promise<Granted | Failure> {
  const secret = await readSecret(clientSecret)
  if (secret.kind !== 'secret') return secret
  const url = tokenEndpoint ?? `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId ?? '',
    client_secret: secret.value,
    scope: `${resource}/.default`,
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  // As it is, and as it stands in a form.
  const secrets = [secret.value, String(new URLSearchParams([['', secret.value]])).slice(1)]
  const request = { method: 'POST' as const, url, headers, body: String(body), secrets }
  return askForToken(request, "Microsoft's token endpoint", span)
}
