/** Tokens for Azure: by a client's credentials, whose secret lies in a secret place, or as the machine's managed identity. */
import type { Failure } from '../adapter.ts'
import { askForToken, type Bearer, createBearer, type Granted } from '../bearer/bearer.ts'
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
export function azureBearer(credentials: AzureCredentials, resource: string): Bearer {
  const { clientSecret } = credentials
  return createBearer((signal) =>
    clientSecret === undefined
      ? ofMachine(credentials, resource, signal)
      : ofClient(credentials, { clientSecret, resource }, signal),
  )
}

function ofMachine(
  { clientId, tokenEndpoint = metadataServer }: AzureCredentials,
  resource: string,
  signal: AbortSignal,
): Promise<Granted | Failure> {
  const identity = clientId === undefined ? {} : { client_id: clientId }
  const query = new URLSearchParams({ 'api-version': '2018-02-01', resource: `${resource}/`, ...identity })
  const url = `${tokenEndpoint}?${query}`
  return askForToken({ method: 'GET', url, headers: { metadata: 'true' } }, 'the metadata server', signal)
}

async function ofClient(
  { tenant, clientId, tokenEndpoint }: AzureCredentials,
  { clientSecret, resource }: { readonly clientSecret: SecretPlace; readonly resource: string },
  signal: AbortSignal,
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
  const request = { method: 'POST' as const, url, headers, body: String(body), secrets: [secret.value] }
  return askForToken(request, "Microsoft's token endpoint", signal)
}
