/**
 * A move as one OpenTelemetry trace (OTLP/HTTP in JSON): a function of the operation, so that the same move has the same
 * ids wherever they are asked for.
 *
 *   failover web                ├──────────────────────────────────────────────────┤
 *     detected                  ├────────┤ from the last good word to the first sign
 *     claimed                            ├────┤ until the new node is known as active
 *     decided                                 ├─┤ until owner and epoch are durable
 *     applied eip                               ├───────┤ until its provider has accepted the change
 *     verified eip                                      ├───┤ until it was read back
 *     seen                                                  ├──┤ until the probe succeeded
 *
 * The root's context is the operation's `traceparent`: a client's probe that continues it adds its own span.
 */
import { acceptedStep, type Operation, ownerMoved, seen, visibleStep } from '../operation.ts'

type Value = { readonly stringValue: string } | { readonly intValue: string }
type Attribute = { readonly key: string; readonly value: Value }

/** In OTLP's own words: ids in hexadecimal, times as decimal strings of nanoseconds. */
export type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: 1
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly status: { readonly code: 0 | 1 | 2; readonly message?: string }
}

export type TraceRequest = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly Span[] }[]
  }[]
}

/** The body of one OTLP request. */
export function traceRequest(operations: readonly Operation[]): TraceRequest {
  const resource = { attributes: attributesOf({ 'service.name': 'holdfast-control' }) }
  const scopeSpans = [{ scope: { name: 'holdfast' }, spans: operations.flatMap(spansOf) }]
  return { resourceSpans: [{ resource, scopeSpans }] }
}

/** What W3C Trace Context calls the root span of a move. */
export function traceparentOf({ id }: Pick<Operation, 'id'>): string {
  return `00-${traceIdOf(id)}-${spanIdOf(id, 'root')}-01`
}

/** Of a move that has ended; the root first. */
export function spansOf(operation: Operation): Span[] {
  const { id, kind, service, steps, status, failure, report } = operation
  const [first] = steps
  if (first === undefined) return []
  const beganMs = Date.parse(first.at) - first.afterMs
  const after = (name: string): number | null => steps.find((step) => step.name === name)?.afterMs ?? null
  const root = spanIdOf(id, 'root')
  const span = (name: string, from: number, to: number): Span => ({
    traceId: traceIdOf(id),
    spanId: spanIdOf(id, name),
    parentSpanId: root,
    name,
    kind: 1,
    startTimeUnixNano: nanosOf(beganMs + from),
    endTimeUnixNano: nanosOf(beganMs + Math.max(from, to)),
    attributes: [],
    status: { code: 1 },
  })
  const detectedFor = report?.detectMs ?? 0
  const lastMs = Math.max(...steps.map(({ afterMs }) => afterMs))
  const { parentSpanId: _, ...whole } = span('root', -detectedFor, lastMs)
  const spans: Span[] = [
    {
      ...whole,
      name: `${kind} ${service}`,
      attributes: attributesOf(describe(operation)),
      status: status === 'failed' ? { code: 2, message: failure ?? 'failed' } : { code: 1 },
    },
    span('detected', -detectedFor, 0),
  ]
  const decided = after(ownerMoved)
  // A failover is known as one when the new node has claimed and the owner is decided, in one step.
  const claimed = after('target active') ?? decided
  if (claimed !== null) spans.push(span('claimed', 0, claimed))
  if (decided === null) return spans
  spans.push(span('decided', Math.min(claimed ?? decided, decided), decided))
  for (const { name } of report?.bindings ?? []) {
    const accepted = after(acceptedStep(name))
    const visible = after(visibleStep(name))
    if (accepted !== null) spans.push(span(`applied ${name}`, decided, accepted))
    if (visible !== null) spans.push(span(`verified ${name}`, accepted ?? decided, visible))
  }
  const reached = after(seen)
  if (reached !== null) spans.push(span('seen', report?.visibleMs ?? decided, reached))
  return spans
}

function describe({
  id,
  kind,
  service,
  from,
  to,
  epoch,
  reason,
  by,
}: Operation): Record<string, string | number | null> {
  const words = { operation: id, kind, service, from, to, epoch, reason, by }
  return Object.fromEntries(Object.entries(words).map(([key, value]) => [`holdfast.${key}`, value]))
}

/** Without those that are null. */
function attributesOf(values: Readonly<Record<string, string | number | null>>): Attribute[] {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === null) return []
    return [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }]
  })
}

function nanosOf(ms: number): string {
  return `${BigInt(Math.round(ms)) * 1_000_000n}`
}

const traceIdOf = (operation: string): string => fnv1a(operation, 128).toString(16).padStart(32, '0')
const spanIdOf = (operation: string, name: string): string =>
  fnv1a(`${operation} ${name}`, 64).toString(16).padStart(16, '0')

const fnv = {
  64: { offset: 0xcbf29ce484222325n, prime: 0x100000001b3n },
  128: { offset: 0x6c62272e07bb014262b821756295c58dn, prime: 0x1000000000000000000013bn },
} as const

/** A hash that needs no promise. Whoever knows an operation's id may know its trace: it is no secret. */
function fnv1a(text: string, bits: 64 | 128): bigint {
  const { offset, prime } = fnv[bits]
  const bytes = new TextEncoder().encode(text)
  return bytes.reduce<bigint>((hash, byte) => BigInt.asUintN(bits, (hash ^ BigInt(byte)) * prime), offset)
}
