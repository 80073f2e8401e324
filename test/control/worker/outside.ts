/** Starts, in Node, the servers that tests in workerd look at and send to, and tells them where those are. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { type BindingInWorker, startClouds } from '../../adapters/worker/clouds.ts'
import { type ReceivedSpan, startReceiver } from '../../support/otlp-receiver.ts'
import { type Outside, startOutside } from '../../support/outside.ts'

/** A collector of traces: where to send to, and where to ask for what has come, as `Collected`. */
export type Collector = { readonly url: string; readonly collected: string }
export type Collected = {
  readonly spans: readonly ReceivedSpan[]
  readonly headers: readonly Readonly<Record<string, unknown>>[]
}

declare module 'vitest' {
  interface ProvidedContext {
    outside: Outside
    collector: Collector
    bindings: readonly BindingInWorker[]
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { outside, close } = await startOutside()
  project.provide('outside', outside)
  const clouds = await startClouds()
  project.provide('bindings', clouds.bindings)
  const receiver = await startReceiver()
  const asked = createServer((_, response) => {
    const collected: Collected = { spans: receiver.spans, headers: receiver.requests.map(({ headers }) => headers) }
    response.end(JSON.stringify(collected))
  })
  await new Promise<void>((resolve) => asked.listen(0, '127.0.0.1', resolve))
  const collected = `http://127.0.0.1:${(asked.address() as AddressInfo).port}/`
  project.provide('collector', { url: receiver.url, collected })
  return async () => {
    close()
    asked.close()
    await receiver.close()
    await clouds.close()
  }
}
