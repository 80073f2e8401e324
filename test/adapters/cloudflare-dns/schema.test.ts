/** What a cloudflare-dns binding may be configured with. */
import { expect, test } from 'vitest'
import { cloudflareDnsSchema, ttlOf } from '../../../adapters/cloudflare-dns/schema.ts'
import { zoneId } from './worlds.ts'

const { config } = cloudflareDnsSchema
const given = { zoneId, name: 'vip.example.com', token: { env: 'CF_TOKEN' } }

test('a name is the same with capitals and a dot at the end', () => {
  expect(config.parse({ ...given, name: '*.VIP.Example.com.' })).toEqual({
    ...given,
    name: '*.vip.example.com',
    proxied: false,
  })
})

test.each([
  [{}, 60],
  [{ ttl: 30 }, 30],
  [{ ttl: 1 }, 1],
  [{ proxied: true }, 1],
  [{ proxied: true, ttl: 1 }, 1],
])('with %j the ttl is %i', (more, ttl) => {
  expect(ttlOf(config.parse({ ...given, ...more }))).toBe(ttl)
})

test.each([
  [{ zoneId: 'example.com' }, 'a zone id is like'],
  [{ name: 'vip' }, 'a name is like'],
  [{ ttl: 29 }, 'a ttl is 60 to 86400'],
  [{ ttl: 90_000 }, 'a ttl is 60 to 86400'],
  [{ ttl: 60, proxied: true }, 'a proxied name has no ttl of its own'],
  [{ token: 'v1.0-secret-itself' }, 'a secret is not written here'],
  [{ endpoint: 'http://me:secret@127.0.0.1/client/v4' }, 'holds no user name'],
  [{ comment: 'mine' }, 'Unrecognized key'],
])('refuses %j', (wrong, says) => {
  const { error } = config.safeParse({ ...given, ...wrong })
  expect(error?.message).toContain(says)
  expect(error?.message).not.toContain('v1.0-secret-itself')
})
