/** An OpenTelemetry collector as far as traces of moves need one: OTLP over HTTP in JSON, strict about what the protocol says. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'

const nanos = z.string().regex(/^\d{19}$/)
const value = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ intValue: z.string().regex(/^-?\d+$/) }),
])
const attributes = z.array(z.strictObject({ key: z.string().min(1), value }))

/** Ids are hexadecimal here, unlike protobuf's own JSON; 64-bit numbers are strings. */
const spanSchema = z
  .strictObject({
    traceId: z.string().regex(/^(?!0+$)[0-9a-f]{32}$/),
    spanId: z.string().regex(/^(?!0+$)[0-9a-f]{16}$/),
    parentSpanId: z
      .string()
      .regex(/^(?!0+$)[0-9a-f]{16}$/)
      .optional(),
    name: z.string().min(1),
    kind: z.int().min(0).max(5),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes,
    status: z.strictObject({ code: z.int().min(0).max(2), message: z.string().optional() }),
  })
  .refine(({ startTimeUnixNano, endTimeUnixNano }) => BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano))
export type ReceivedSpan = z.infer<typeof spanSchema>

const requestSchema = z.strictObject({
  resourceSpans: z
    .array(
      z.strictObject({
        resource: z.strictObject({ attributes }),
        scopeSpans: z.array(
          z.strictObject({ scope: z.strictObject({ name: z.string() }), spans: z.array(spanSchema) }),
        ),
      }),
    )
    .min(1),
})

export type Receiver = {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  readonly requests: readonly { readonly path: string; readonly headers: Readonly<Record<string, unknown>> }[]
  /** What it answers instead of taking what comes; `silence`: nothing at all. */
  answer: number | 'silence' | null
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  const spans: ReceivedSpan[] = []
  const requests: { path: string; headers: Record<string, unknown> }[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    request.on('end', () => {
      requests.push({ path: request.url ?? '', headers: { ...request.headers } })
      if (receiver.answer === 'silence') return
      const parsed = requestSchema.safeParse(JSON.parse(text))
      const status =
        receiver.answer ?? (parsed.success && request.headers['content-type'] === 'application/json' ? 200 : 400)
      if (status === 200) {
        for (const { scopeSpans } of parsed.data!.resourceSpans)
          spans.push(...scopeSpans.flatMap((scope) => scope.spans))
      }
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans,
    requests,
    answer: null,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return receiver
}
