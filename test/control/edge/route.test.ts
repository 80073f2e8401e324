import { describe, expect, test } from 'vitest'
import type { EdgeRoute } from '../../../control/edge/contract.ts'
import { learnKept, learnMap, nothingKnown } from '../../../control/edge/known.ts'
import { indexRoutes, isUnreachable, mayRepeat, routeFor, sitesToTry } from '../../../control/edge/route.ts'

const routeOf = (service: string, more: Partial<EdgeRoute> = {}): EdgeRoute => ({
  hosts: [`${service}.example.com`],
  service,
  epoch: 1,
  owner: { node: 'n1', site: 'dc1' },
  sites: [
    { site: 'dc1', url: 'https://dc1.test', healthy: true },
    { site: 'dc2', url: 'https://dc2.test', healthy: true },
  ],
  ...more,
})

test.each([
  { host: 'www.example.com', service: 'web' },
  { host: 'WWW.Example.COM', service: 'web' },
  { host: 'www.example.com.', service: 'web' },
  { host: 'api.example.com', service: 'any' },
  { host: 'a.b.example.com', service: 'any' },
  { host: 'x.deep.example.com', service: 'deep' },
  { host: 'example.com', service: null },
  { host: 'evil-example.com', service: null },
  { host: 'www.example.com.evil.org', service: null },
  { host: '127.0.0.1', service: null },
  { host: '', service: null },
])('the host $host belongs to $service', ({ host, service }) => {
  const index = indexRoutes([
    routeOf('any', { hosts: ['*.example.com'] }),
    routeOf('deep', { hosts: ['*.deep.example.com'] }),
    routeOf('web', { hosts: ['www.example.com'] }),
  ])
  expect(routeFor(index, host)?.service ?? null).toBe(service)
})

test('a host that two services claim goes to the first by name, in whatever order they come', () => {
  const claims = [routeOf('b', { hosts: ['x.test'] }), routeOf('a', { hosts: ['x.test'] })]
  expect(routeFor(indexRoutes(claims), 'x.test')?.service).toBe('a')
  expect(routeFor(indexRoutes(claims.toReversed()), 'x.test')?.service).toBe('a')
})

test.each([
  ...['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].map((method) => ({ method, replayable: true, repeats: true })),
  ...['GET', 'PUT', 'DELETE'].map((method) => ({ method, replayable: false, repeats: false })),
  ...['POST', 'PATCH', 'CONNECT', 'get', 'BREW'].map((method) => ({ method, replayable: true, repeats: false })),
])('$method with a body that can be sent again: $replayable', ({ method, replayable, repeats }) => {
  expect(mayRepeat({ method, replayable })).toBe(repeats)
})

test('the owner’s site first, ill or not; then only those that are healthy, and only if it may be sent twice', () => {
  const sites = [
    { site: 'dc1', url: 'https://dc1.test', healthy: false },
    { site: 'dc2', url: 'https://dc2.test', healthy: true },
    { site: 'aws', url: 'https://aws.test', healthy: false },
  ]
  const names = (repeatable: boolean) => sitesToTry(routeOf('web', { sites }), repeatable).map(({ site }) => site)
  expect(names(true)).toEqual(['dc1', 'dc2'])
  expect(names(false)).toEqual(['dc1'])
  expect(sitesToTry(routeOf('web', { sites: [] }), true)).toEqual([])
})

test.each([
  ...[521, 522, 523, 525, 526, 530].map((status) => ({ status, unreachable: true })),
  ...[200, 404, 500, 502, 503, 504, 520, 524, 527].map((status) => ({ status, unreachable: false })),
])('$status says that nobody was reached: $unreachable', ({ status, unreachable }) => {
  expect(isUnreachable(status)).toBe(unreachable)
})

describe('what is known goes forward only', () => {
  const at = (epoch: number, more: Partial<EdgeRoute> = {}) => routeOf('web', { epoch, ...more })
  const knowing = (...routes: EdgeRoute[]) => learnMap(nothingKnown, routes).known
  const epochOf = (known: ReturnType<typeof knowing>) => known.routes.get('web')?.epoch

  test('a higher epoch replaces, a lower one does not', () => {
    expect(epochOf(learnMap(knowing(at(5)), [at(6)]).known)).toBe(6)
    const older = learnMap(knowing(at(5)), [at(4)])
    expect(epochOf(older.known)).toBe(5)
    expect(older.changed).toEqual([])
  })

  test('control may change health and hosts within an epoch', () => {
    const { known, changed } = learnMap(knowing(at(5)), [at(5, { hosts: ['new.test'] })])
    expect(known.routes.get('web')?.hosts).toEqual(['new.test'])
    expect(changed).toHaveLength(1)
  })

  test('what was kept may not', () => {
    const known = knowing(at(5))
    expect(learnKept(known, knowing(at(5, { hosts: ['old.test'] })))).toBe(known)
    expect(epochOf(learnKept(known, knowing(at(7))))).toBe(7)
  })

  test('what was read from a row is replaced by what is written there later, and by nothing older', () => {
    const read = (revision: number, host: string) => ({
      ...knowing(at(5, { hosts: [host] })),
      revisions: new Map([['web', revision]]),
    })
    const hostsOf = (known: ReturnType<typeof knowing>) => known.routes.get('web')?.hosts
    expect(hostsOf(learnKept(read(2, 'two.test'), read(3, 'three.test')))).toEqual(['three.test'])
    expect(hostsOf(learnKept(read(3, 'three.test'), read(2, 'two.test')))).toEqual(['three.test'])
    // What control has said itself is not taken back by what another isolate has kept.
    const { known } = learnMap(read(3, 'three.test'), [at(5, { hosts: ['new.test'] })])
    expect(hostsOf(learnKept(known, read(4, 'four.test')))).toEqual(['new.test'])
  })

  test('a service that control no longer names has no route, and its epoch is still known', () => {
    const gone = learnMap(knowing(at(5), routeOf('api')), [routeOf('api')])
    expect(gone.gone).toEqual(['web'])
    expect(epochOf(gone.known)).toBeUndefined()
    expect(epochOf(learnMap(gone.known, [at(4), routeOf('api')]).known)).toBeUndefined()
    expect(epochOf(learnMap(gone.known, [at(5), routeOf('api')]).known)).toBe(5)
  })

  test('the same again is nothing new', () => {
    const known = knowing(at(5))
    expect(learnMap(known, [at(5)])).toEqual({ known, changed: [], gone: [] })
  })
})
