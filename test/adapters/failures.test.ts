/** What every provider's failures have in common: waits, statuses, codes, and that no secret survives. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  clockRemark,
  failure,
  harmless,
  kindOfStatus,
  longestWaitMs,
  retryAfterMs,
  strangeAnswer,
  transportFailure,
} from '../../adapters/failures.ts'

const now = new Date('2044-11-06T08:49:30Z')

test.each([
  ['7', 7_000],
  [' 7 ', 7_000],
  ['0', 0],
  ['1.5', 1_500],
  ['0.0001', 1],
  ['Sun, 06 Nov 2044 08:49:37 GMT', 7_000],
  ['Sunday, 06-Nov-44 08:49:37 GMT', 7_000],
  ['Sun Nov  6 08:49:37 2044', 7_000],
  ['Sun, 06 Nov 2044 08:49:00 GMT', 0],
  ['Sun, 06 Nov 2094 08:49:37 GMT', longestWaitMs],
  ['99999999999999', longestWaitMs],
  ['', undefined],
  ['   ', undefined],
  [undefined, undefined],
  [null, undefined],
  ['-5', undefined],
  ['soon', undefined],
  ['5 seconds', undefined],
  ['2044-11-06T08:49:37Z', undefined],
  ['Sun, 99 Nov 2044 08:49:37 GMT', undefined],
])('Retry-After: %s is a wait of %s ms', (value, ms) => {
  expect(retryAfterMs(value, now)).toBe(ms)
})

test('a wait is never negative, endless or no number, whatever is written', () => {
  const anything = fc.oneof(fc.string(), fc.date().map(String), fc.double().map(String))
  fc.assert(
    fc.property(anything, (value) => {
      const ms = retryAfterMs(value, now)
      expect(ms === undefined || (Number.isInteger(ms) && ms >= 0 && ms <= longestWaitMs)).toBe(true)
    }),
  )
})

test.each([
  [200, 'unknown'],
  [302, 'unknown'],
  [400, 'permanent'],
  [401, 'permanent'],
  [404, 'permanent'],
  [429, 'throttled'],
  [500, 'retry'],
  [501, 'retry'],
  [502, 'unknown'],
  [503, 'retry'],
  [504, 'unknown'],
])('status %i alone is %s', (status, kind) => {
  expect(kindOfStatus(status)).toBe(kind)
  expect(strangeAnswer('EC2', status)).toMatchObject({ kind, code: `HTTP ${status}` })
})

test('only what is throttled waits, and it always does', () => {
  expect(failure('throttled', 'c', 'm')).toEqual({ kind: 'throttled', code: 'c', message: 'm', afterMs: 2_000 })
  expect(failure('throttled', 'c', 'm', 9)).toMatchObject({ afterMs: 9 })
  expect(failure('retry', 'c', 'm', 9)).toEqual({ kind: 'retry', code: 'c', message: 'm' })
  expect(strangeAnswer('EC2', 429, 9)).toMatchObject({ kind: 'throttled', afterMs: 9 })
})

const withCode = (code: string, more: object = {}) => Object.assign(new Error('words'), { code, ...more })

test.each([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN'].map(
    (code) => [code, 'retry'] as const,
  ),
  ...(['EADDRNOTAVAIL', 'UND_ERR_CONNECT_TIMEOUT'] as const).map((code) => [code, 'retry'] as const),
  ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'].map(
    (code) => [code, 'permanent'] as const,
  ),
  ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID'].map(
    (code) => [code, 'permanent'] as const,
  ),
  ...['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'UND_ERR_SOCKET', 'NEVER_HEARD_OF'].map((code) => [code, 'unknown'] as const),
])('%s is %s, however deep it is hidden', (code, kind) => {
  const error = withCode(code)
  const hidden = new TypeError('fetch failed', { cause: new Error('around it', { cause: error }) })
  for (const thrown of [error, hidden]) expect(transportFailure(thrown)).toEqual({ kind, code, message: 'words' })
})

test('a time-out while connecting sent nothing; one while waiting may have', () => {
  expect(transportFailure(withCode('ETIMEDOUT', { syscall: 'connect' }))).toMatchObject({ kind: 'retry' })
  expect(transportFailure(withCode('ETIMEDOUT', { syscall: 'read' }))).toMatchObject({ kind: 'unknown' })
})

test.each([undefined, null, 'text', 7, {}, { cause: null }, { message: 7 }, []])(
  'whatever is thrown (%j) is a failure with words',
  (thrown) => {
    const failed = transportFailure(thrown)
    expect(failed).toMatchObject({ kind: 'unknown' })
    expect(failed.message).not.toBe('')
  },
)

test('an error that is its own cause ends', () => {
  const error: { cause?: unknown } = {}
  error.cause = error
  expect(transportFailure(error)).toMatchObject({ kind: 'unknown' })
})

test('a clock is remarked on when it is off by a minute', () => {
  const at = (seconds: number) => clockRemark(new Date(now.getTime() - seconds * 1000).toUTCString(), now)
  expect([at(0), at(59), at(-59), clockRemark('soon', now), clockRemark(undefined, now)]).toEqual(['', '', '', '', ''])
  expect(at(60)).toBe("; this machine's clock is 60 s ahead of the provider's")
  expect(at(-3_600)).toBe("; this machine's clock is 3600 s behind the provider's")
})

/** Long enough to be one, and not a part of the word that stands for it. */
const aSecret = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 60 }).filter((text) => text.trim().length >= 8)

test('no secret survives, wherever it stands and whatever it begins with', () => {
  fc.assert(
    fc.property(fc.array(aSecret, { minLength: 1, maxLength: 3 }), fc.array(fc.string()), (secrets, words) => {
      const text = words.concat('').map((word, i) => `${word}${secrets[i % secrets.length]}`)
      const said = harmless(text.join(' '), secrets)
      for (const secret of secrets) expect(said).not.toContain(secret)
    }),
  )
})

test('no secret survives in JSON, in a URL, or broken over lines', () => {
  fc.assert(
    fc.property(aSecret, (secret) => {
      const forms = [
        JSON.stringify({ error: secret }),
        `https://h.example/?key=${encodeURIComponent(secret)}`,
        `at ${secret.replace(/ /g, '\n')}`,
      ]
      for (const form of forms) {
        const said = harmless(form, [secret])
        expect(said).toContain('withheld')
        for (const left of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
          expect(said).not.toContain(left)
        }
      }
    }),
  )
})

test('of a secret that begins another nothing is left of either', () => {
  for (const secrets of [
    ['abcdefgh', 'abcdefghijklmnop'],
    ['abcdefghijklmnop', 'abcdefgh'],
  ]) {
    expect(harmless('it was abcdefghijklmnop.', secrets)).toBe('it was withheld.')
  }
})

test.each([
  'Authorization: Bearer s3cr3t-t0ken',
  'authorization=Basic s3cr3t-t0ken',
  '{"authorization":"Bearer s3cr3t-t0ken"}',
  "{'x-api-key': 's3cr3t-t0ken'}",
  'X-Amz-Security-Token: s3cr3t-t0ken',
  'Credential=s3cr3t-t0ken, Signature=s3cr3t-t0ken',
  'x-holdfast-signature: s3cr3t-t0ken',
  `blob ${'s3cr3t-t0ken'.repeat(6)}`,
])('what looks like a credential is withheld, though nobody knows it: %s', (message) => {
  expect(harmless(message)).not.toContain('s3cr3t-t0ken')
})

test('an access key is cut to what kind it is', () => {
  expect(harmless('key AKIAABCDEFGHIJKLMNOP is not known')).toBe('key AKIA… is not known')
})

test('words are one line of bounded length, or say that there are none', () => {
  expect(harmless(' two\r\n\tlines ')).toBe('two lines')
  expect(harmless('word '.repeat(1_000)).length).toBeLessThanOrEqual(301)
  for (const nothing of ['', ' \n', undefined, null]) expect(harmless(nothing)).toBe('no reason was given')
  expect(harmless('an empty secret hides nothing', [''])).toBe('an empty secret hides nothing')
})
