/** What a probe must make of places that answer, refuse, hang, fail and redirect, on whatever runtime it looks from. */
import { expect, test } from 'vitest'
import type { Probe } from '../../control/core/ports.ts'
import type { Outside } from '../support/outside.ts'

export function probeCases(probe: Probe, outside: () => Outside): void {
  const look = (url: string, signal = AbortSignal.timeout(10_000)) => probe({ kind: 'http', url }, signal)
  const knock = (address: string, signal = AbortSignal.timeout(10_000)) => probe({ kind: 'tcp', address }, signal)
  const late = 'it did not answer in time'
  /** Why, in the runtime's own words: some, and not ours. */
  const unreachable = (why: string | null): void => {
    expect(why).toMatch(/\w/)
    expect(why).not.toMatch(late)
    expect(why).not.toMatch(/it answered/)
  }

  test.each([
    { status: 200, good: true },
    { status: 204, good: true },
    { status: 302, good: true },
    { status: 399, good: true },
    { status: 400, good: false },
    { status: 404, good: false },
    { status: 500, good: false },
    { status: 503, good: false },
  ])('a page that answers $status; a redirect is not followed to the page that is ill', async ({ status, good }) => {
    expect(await look(`${outside().pages}/status/${status}`)).toBe(good ? null : `it answered ${status}`)
  })

  test('a page whose body never ends is no worse for it', async () => {
    expect(await look(`${outside().pages}/endless`)).toBeNull()
  })

  test('nobody listens', async () => {
    unreachable(await look(`http://127.0.0.1:${outside().closed}/`))
    unreachable(await knock(`127.0.0.1:${outside().closed}`))
  })

  test('a server that takes the connection and says nothing', async () => {
    expect(await look(`http://127.0.0.1:${outside().silent}/`, AbortSignal.timeout(100))).toBe(late)
    expect(await knock(`127.0.0.1:${outside().silent}`)).toBeNull()
  })

  test('a server that hangs up', async () => {
    unreachable(await look(`http://127.0.0.1:${outside().hangsUp}/`))
  })

  test('a server that speaks no TLS, and so cannot prove who it is', async () => {
    unreachable(await look(`${outside().pages.replace('http:', 'https:')}/status/200`))
  })

  test('a signal that has already been given', async () => {
    expect(await knock(`127.0.0.1:${outside().silent}`, AbortSignal.abort())).toBe(late)
    expect(await look(`${outside().pages}/status/200`, AbortSignal.abort())).toBe(late)
  })

  test('an IPv6 address in its brackets', async () => {
    expect(await knock(`[::1]:${outside().v6}`)).toBeNull()
  })
}
