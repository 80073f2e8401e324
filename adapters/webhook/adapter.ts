/**
 * A receiver of the operator's own, told by HTTP where the service is: whatever it moves then.
 *
 *   apply     POST url  {service, node, epoch, previous, binding, target?}    2xx: done   409 {epoch}: refused
 *   observe   GET observeUrl?service=&binding=    ◀── {node, epoch} or {node: null}
 *
 * Both are signed (`signature.ts`), and carry the epoch also as `x-holdfast-epoch` where there is one. `previous` is
 * where the receiver said it was when it was last asked, or null: a receiver that refuses when it is elsewhere by now
 * refuses every write that was decided on an older state. `target` is the node's `data`.
 *
 * A receiver that cannot be asked has `observe: false`: then what it accepted is believed, until control is started
 * again; the present owner is delivered once more then, so a receiver must be idempotent by epoch. What somebody else
 * changes there is not seen. `answers.ts` says what its answers mean; `infra/examples/webhook-receiver.ts` is one.
 *
 * A receiver accepts a signature for minutes, so a delivery that hangs on the way may come late; half a minute is what
 * a network holds on to a request, and what comes later is drift.
 */
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome, Raw } from '../adapter.ts'
import { givenUp, harmless, noTarget, strangeAnswer } from '../failures.ts'
import { type Answer, ask, callMs, jsonOf } from '../http.ts'
import { readSecret } from '../secret.ts'
import { targetOf } from '../targets.ts'
import { epochIn, failureOf, isPage, placeSchema } from './answers.ts'
import { shown, type WebhookConfig, type WebhookTarget } from './schema.ts'
import { signatureOf } from './signature.ts'

type Options = { readonly callTimeoutMs?: number; readonly now?: () => Date }

type Binding = AdapterInput<WebhookConfig, WebhookTarget> & {
  readonly timeoutMs: number
  readonly now: () => Date
  readonly known: Known
}

/** What the receiver's answers to deliveries have told. Forgetting it costs one more delivery. */
type Known = {
  accepted: { readonly node: string; readonly epoch: number } | null
  /** An epoch that it holds against ours, until one of ours is accepted again. */
  refusedFor: number | undefined
}

export function createWebhook(input: AdapterInput<WebhookConfig, WebhookTarget>, options: Options = {}): Adapter {
  const { callTimeoutMs: timeoutMs = callMs, now = () => new Date() } = options
  const binding: Binding = { ...input, timeoutMs, now, known: { accepted: null, refusedFor: undefined } }
  return {
    capabilities: {
      cas: input.config.fenced ? 'atomic' : 'none',
      dryRun: false,
      ipv6: true,
      settleMs: input.config.settleSeconds * 1000,
      maxInFlightMs: 35_000,
      unsureMs: Math.max(5_000, input.config.settleSeconds * 1000),
    },
    observe: (signal) => (input.config.observe ? observe(binding, signal) : remember(binding, signal)),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const { service, binding: name, config, targets, known } = binding
  const url = new URL(config.observeUrl ?? config.url)
  url.searchParams.set('service', service)
  url.searchParams.set('binding', name)
  const sent = await send(binding, { method: 'GET', url: url.href, text: url.search.slice(1) }, signal)
  if (sent.kind !== 'answered') return { kind: 'unknown', failure: sent }
  const { answer, secret } = sent
  if ([404, 405, 501].includes(answer.status)) return { kind: 'unknown', failure: notAsked(answer) }
  if (answer.status < 200 || answer.status > 299) {
    return { kind: 'unknown', failure: failureOf(answer, secret, binding.now()) }
  }
  const place = jsonOf(answer, placeSchema, 'the receiver')
  if (place.kind !== 'value') return { kind: 'unknown', failure: place }
  const { node, epoch } = place.value
  const epochs = [epoch, known.refusedFor].filter((value) => value !== undefined && value !== null)
  const seen = {
    token: node,
    ...(epochs.length === 0 ? {} : { epochSeen: Math.max(...epochs) }),
    raw: rawOf(node === null ? null : harmless(node, [secret]), epoch),
  }
  if (node === null) return { kind: 'none', ...seen }
  return Object.hasOwn(targets, node)
    ? { kind: 'node', node, ...seen }
    : { kind: 'foreign', what: harmless(node, [secret]), ...seen }
}

function rawOf(node: string | null, epoch: number | null | undefined): Raw {
  return { node, epoch: typeof epoch === 'number' ? String(epoch) : null }
}

function notAsked({ status }: Answer): Failure {
  const message = `the receiver does not answer GET (${status}): correct observeUrl, or write observe: false if it never will`
  return { kind: 'permanent', code: `HTTP ${status}`, message }
}

/** Where a receiver is that cannot be asked: where it was last sent to, as far as is known. */
async function remember({ known }: Binding, signal: AbortSignal): Promise<Observation> {
  if (signal.aborted) return { kind: 'unknown', failure: givenUp }
  const { accepted, refusedFor } = known
  const epochSeen = refusedFor ?? accepted?.epoch
  const seen = {
    token: accepted?.node ?? null,
    ...(epochSeen === undefined ? {} : { epochSeen }),
    raw: rawOf(accepted?.node ?? null, accepted?.epoch),
  }
  return accepted === null ? { kind: 'none', ...seen } : { kind: 'node', node: accepted.node, ...seen }
}

async function apply(binding: Binding, { node, epoch, token }: Move, signal: AbortSignal): Promise<Outcome> {
  const { service, binding: name, config, targets, known } = binding
  const target = targetOf(targets, node)
  if (target === undefined) return noTarget(node)
  const delivery = { service, node, epoch, previous: token, binding: name }
  const text = JSON.stringify(target.data === undefined ? delivery : { ...delivery, target: target.data })
  const sent = await send(binding, { method: 'POST', url: config.url, text, epoch }, signal)
  if (sent.kind !== 'answered') return sent
  const { answer, secret } = sent
  if (answer.status >= 200 && answer.status <= 299) {
    if (isPage(answer)) return strangeAnswer('the receiver', answer.status)
    known.accepted = { node, epoch }
    known.refusedFor = undefined
    return { kind: 'done' }
  }
  const held = answer.status === 409 ? epochIn(answer) : undefined
  if (held === undefined || held <= epoch) return failureOf(answer, secret, binding.now())
  known.refusedFor = held
  const message = `epoch ${epoch} is lower than ${held}, which the receiver holds`
  return { kind: 'conflict', code: 'StaleEpoch', message }
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config, targets } = binding
  const delivery = `POST ${shown(config.url)}`
  const deliveries = Object.keys(targets).map((node): Finding => {
    return { check: `${delivery} (${node})`, result: 'untried', message: 'a delivery would move it' }
  })
  const secret = await readSecret(config.secret)
  if (secret.kind !== 'secret') return [{ check: `sign ${delivery}`, result: 'failed', message: secret.message }]
  if (!config.observe) return deliveries
  const check = `GET ${shown(config.observeUrl ?? config.url)}`
  const seen = await observe(binding, signal)
  const asked: Finding =
    seen.kind === 'unknown'
      ? { check, result: signal.aborted ? 'untried' : 'failed', message: seen.failure.message }
      : { check, result: 'passed', message: null }
  return [asked, ...deliveries]
}

type Signed = { readonly method: 'GET' | 'POST'; readonly url: string; readonly text: string; readonly epoch?: number }

/** One signed request. `text`: what is signed, and of a POST the body. */
async function send(
  { config, timeoutMs, now }: Binding,
  { method, url, text, epoch }: Signed,
  signal: AbortSignal,
): Promise<{ readonly kind: 'answered'; readonly answer: Answer; readonly secret: string } | Failure> {
  const secret = await readSecret(config.secret)
  if (secret.kind !== 'secret') return secret
  const signature = await signatureOf(secret.value, text, now())
  const headers = {
    accept: 'application/json',
    'x-holdfast-signature': signature,
    ...(epoch === undefined ? {} : { 'x-holdfast-epoch': String(epoch) }),
    ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
  }
  const secrets = [secret.value, signature]
  const answer = await ask(
    { method, url, headers, secrets, timeoutMs, ...(method === 'POST' ? { body: text } : {}) },
    signal,
  )
  return answer.kind === 'answered' ? { kind: 'answered', answer, secret: secret.value } : answer
}
