/** What every adapter of a REST API has from its foundation. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Calls, createRestAdapter, type Options, type RestAdapter } from '../../../adapters/rest/adapter.ts'
import { bodyOf, serve } from '../thin/servers.ts'

const signal = new AbortController().signal
const move = { node: 'n1', epoch: 1, token: null }
const jobSchema = z.object({ state: z.enum(['running', 'done', 'failed']), words: z.string().default('') })
type Job = z.output<typeof jobSchema>

/** An adapter of a provider whose jobs go as `answers` say, one for each request. Null: no answer. */
async function made(answers: readonly (Partial<Job> | null)[], options: Options = {}) {
  const asked: string[] = []
  let signatures = 0
  const endpoint = await serve(async (request, response) => {
    asked.push(`${request.method} ${request.url} ${await bodyOf(request)}`.trim())
    const answer = answers[asked.length - 1]
    if (answer !== null) response.end(JSON.stringify(answer))
  })
  const look = (calls: Calls) => calls.call({ method: 'GET', path: '/job' }, jobSchema)
  const progress = ({ state, words }: Job) => {
    if (state === 'failed') return { kind: 'retry', code: words, message: words } as const
    return { kind: state } as const
  }
  const adapter: RestAdapter<{ readonly id: number }, Job> = {
    api: {
      ...{ provider: 'the provider', endpoint, refusal: () => undefined },
      sign: async () => {
        signatures += 1
        return { kind: 'signed', headers: {}, secrets: [`secret-${signatures}`] }
      },
    },
    can: { cas: 'none', ipv6: true, settleMs: 1_000 },
    look,
    seen: ({ words }) => ({ kind: 'foreign', what: words, token: null, raw: {} }),
    move: async (calls, { id }) => {
      const body = { type: 'application/json', text: JSON.stringify({ id }) }
      const sent = await calls.call({ method: 'POST', path: '/job', body }, jobSchema)
      return sent.kind === 'value' ? calls.follow(sent.value, { look: () => look(calls), progress }) : sent
    },
    try: async () => [],
  }
  return { asked, adapter: createRestAdapter({ targets: { n1: { id: 1 } } }, adapter, options) }
}

const atOnce = async () => {}
const running = { state: 'running' } as const

test('a move is followed to its end, in growing steps', async () => {
  const waited: number[] = []
  const pause = async (ms: number) => void waited.push(ms)
  const { adapter, asked } = await made([running, running, running, running, { state: 'done' }], { pause })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(asked).toEqual(['POST /job {"id":1}', 'GET /job', 'GET /job', 'GET /job', 'GET /job'])
  expect(waited).toEqual([250, 500, 1_000, 1_000])
})

test('all calls of a move share one deadline, and what was accepted before it is done', async () => {
  const { adapter } = await made([running, null], { callTimeoutMs: 1_500, pause: atOnce })
  const began = performance.now()
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(performance.now() - began).toBeLessThan(4_000)
  const { adapter: other } = await made([null], { callTimeoutMs: 50 })
  expect(await other.apply(move, signal)).toMatchObject({ kind: 'unknown', code: 'TimedOut' })
})

test('a move that is given up while it is waited for ends at once, and nobody knows how', async () => {
  const controller = new AbortController()
  const pause = async () => controller.abort()
  const { adapter, asked } = await made([running], { pause })
  expect(await adapter.apply(move, controller.signal)).toMatchObject({ kind: 'unknown', code: 'Aborted' })
  expect(asked).toEqual(['POST /job {"id":1}'])
})

test('a job that failed quotes no secret of any of the calls', async () => {
  const { adapter } = await made([running, { state: 'failed', words: 'secret-1 and secret-2' }], { pause: atOnce })
  expect(await adapter.apply(move, signal)).toEqual({
    ...{ kind: 'retry', code: 'withheld and withheld', message: 'withheld and withheld' },
  })
})

test.each(['n9', 'constructor', '__proto__'])('%s is no target, and nothing is asked for it', async (node) => {
  const { adapter, asked } = await made([])
  expect(await adapter.apply({ ...move, node }, signal)).toMatchObject({ kind: 'permanent', code: 'NoTarget' })
  expect(asked).toEqual([])
})

test('what comes late takes its time to show', async () => {
  const { adapter } = await made([])
  expect(adapter.capabilities).toEqual({
    ...{ cas: 'none', dryRun: false, ipv6: true, settleMs: 1_000, maxInFlightMs: 36_000 },
  })
})
