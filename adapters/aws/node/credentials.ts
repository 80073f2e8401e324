/**
 * Why AWS's own chain found no credentials. The chain only says that it found none, although that may pass: the machine's
 * or the container's endpoint for them is then asked once more, for what it really says.
 *
 *   no connection, no answer, 5xx, 429, nonsense   retry: it may answer soon
 *   no role, a role that may not be used, 4xx      permanent: a person must give the machine one
 */
import { z } from 'zod'
import type { Failure } from '../../adapter.ts'
import { failure, harmless } from '../../failures.ts'
import { type Answer, ask } from '../../http.ts'
import { failureOf } from '../errors.ts'

/** How long such an endpoint may take: it is on the machine, or next to it. In milliseconds. */
const probeMs = 1_000

const code = 'NoCredentials'

/** Where credentials are sought last, for people. */
export function credentialSource(): string {
  const container = containerEndpoint()
  if (container !== null) return `the container credentials endpoint ${container}`
  return isMetadataOff() ? 'a file, a program or STS' : `the instance metadata service (IMDS) at ${metadataEndpoint()}`
}

/** What the chain threw. Nothing was sent to the service, so whatever may pass is worth a retry. */
export async function credentialFailure(error: unknown, signal: AbortSignal): Promise<Failure> {
  const thrown = error as { readonly name?: unknown; readonly message?: unknown; readonly code?: unknown }
  const name = String(thrown?.name)
  const isExhausted = /from any providers/.test(String(thrown?.message))
  // The endpoint answered with no JSON; or version 1 of it is forbidden, and version 2 did not answer.
  if (isExhausted || name === 'SyntaxError' || name === 'InstanceMetadataV1FallbackError') return whyNone(signal)
  // Not quoted: it may hold what a program printed.
  if (/ProviderError$/.test(name)) return none('the source that is configured for them gave none')
  if (thrown?.code === 'ENOENT' || thrown?.code === 'EACCES') return none(harmless(thrown.message))
  const failed = failureOf(error, { provider: 'STS', codes: { IDPCommunicationErrorException: 'retry' } }, new Date())
  const message = `no AWS credentials: ${failed.message}`
  return failed.kind === 'unknown' ? { ...failed, kind: 'retry', message } : { ...failed, message }
}

const none = (why: string): Failure => failure('permanent', code, `no AWS credentials: ${why}`)

/** An endpoint that may give some soon. */
const later = (why: string): Failure => failure('retry', code, `no AWS credentials: ${why}`)

async function whyNone(signal: AbortSignal): Promise<Failure> {
  const container = containerEndpoint()
  if (container !== null) return whyNoneOfContainer(container, signal)
  if (isMetadataOff()) return none('neither the environment nor a file has any')
  return whyNoneOfMachine(signal)
}

async function whyNoneOfContainer(url: string, signal: AbortSignal): Promise<Failure> {
  const source = credentialSource()
  if (!URL.canParse(url)) return none(`${source} is no URL`)
  const { AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = process.env
  const headers = token === undefined ? {} : { authorization: token }
  return judge(await probe({ method: 'GET', url, headers }, signal), source)
}

/** By version 2 where there is one: a token first. */
async function whyNoneOfMachine(signal: AbortSignal): Promise<Failure> {
  const source = credentialSource()
  const at = (path: string) => `${metadataEndpoint()}/latest/${path}`
  const asked = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }
  const session = await probe({ method: 'PUT', url: at('api/token'), headers: asked }, signal)
  // On a machine that is not AWS's, that is all there is to say.
  if (session.kind !== 'answered') {
    return later(`neither the environment nor a file has any, and ${source} does not answer: ${session.message}`)
  }
  const headers: Record<string, string> = session.status === 200 ? { 'x-aws-ec2-metadata-token': session.text } : {}
  const path = 'meta-data/iam/security-credentials/'
  const roles = await probe({ method: 'GET', url: at(path), headers }, signal)
  const isRole = roles.kind === 'answered' && roles.status === 200 && /^[\w+=,.@-]+$/.test(roles.text.trim())
  if (isRole) return judge(await probe({ method: 'GET', url: at(path + roles.text.trim()), headers }, signal), source)
  const hasNone = roles.kind === 'answered' && (roles.status === 404 || (roles.status === 200 && !roles.text.trim()))
  if (!hasNone) return judge(roles, source)
  return none(`this machine has no role, says ${source}: attach an instance profile, or set AWS_ACCESS_KEY_ID`)
}

type Probe = {
  readonly method: 'GET' | 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

function probe(request: Probe, signal: AbortSignal): Promise<Answer | Failure> {
  return ask({ ...request, secrets: Object.values(request.headers), timeoutMs: probeMs }, signal)
}

const saidSchema = z.object({
  Code: z.string().optional(),
  Message: z.string().optional(),
  AccessKeyId: z.string().optional(),
})

/** What an endpoint's answer says of why there are none. */
function judge(answer: Answer | Failure, source: string): Failure {
  if (answer.kind !== 'answered') return later(`${source} does not answer: ${answer.message}`)
  const { status, text } = answer
  const said = saidOf(text)
  if (status === 429 || status >= 500 || status < 200) return later(`${source} has trouble (HTTP status ${status})`)
  if (status >= 400) return none(`${source} refuses (HTTP status ${status})`)
  if (said?.AccessKeyId !== undefined) return later(`${source} gave none a moment ago, and does now`)
  if (said?.Code === undefined || said.Code === 'Success') return later(`${source} answers what is none of its answers`)
  // As when the role was deleted, or does not trust the machine.
  return none(`${source} says ${harmless(`${said.Code}: ${said.Message ?? ''}`)}`)
}

function saidOf(text: string): z.output<typeof saidSchema> | undefined {
  try {
    return saidSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function containerEndpoint(): string | null {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path, AWS_CONTAINER_CREDENTIALS_FULL_URI: url } = process.env
  return path ? `http://169.254.170.2${path}` : url || null
}

function isMetadataOff(): boolean {
  return !['', 'false'].includes(process.env.AWS_EC2_METADATA_DISABLED ?? '')
}

function metadataEndpoint(): string {
  const { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint, AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: mode } = process.env
  const usual = mode === 'IPv6' ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254'
  return (endpoint || usual).replace(/\/+$/, '')
}
