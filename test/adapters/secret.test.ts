/** Where secrets are found, and that a configuration holds none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findSecret as findInWorker } from '../../adapters/runtime/worker/secrets.ts'
import { placeName, readSecret, secretSchema } from '../../adapters/secret.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-secret-'))
  vi.stubEnv('CREDENTIALS_DIRECTORY', folder)
})

afterEach(() => rmSync(folder, { recursive: true }))

test('a secret is found in the environment, in a file and among the credentials of systemd', async () => {
  vi.stubEnv('SECRET_UNDER_TEST', 'of the environment')
  const file = join(folder, 'token')
  writeFileSync(file, 'of a file')
  expect(await readSecret({ env: 'SECRET_UNDER_TEST' })).toEqual({ kind: 'secret', value: 'of the environment' })
  for (const place of [{ file }, { credential: 'token' }]) {
    expect(await readSecret(place)).toEqual({ kind: 'secret', value: 'of a file' })
  }
})

test.each([
  ['abc\n', 'abc'],
  ['abc\r\n', 'abc'],
  ['abc\n\n', 'abc\n'],
  [' a b ', ' a b '],
])('of the file %j the line break at its end is left out, and nothing else', async (text, value) => {
  writeFileSync(join(folder, 'token'), text)
  expect(await readSecret({ credential: 'token' })).toEqual({ kind: 'secret', value })
})

test('a secret that is replaced is found at the next reading', async () => {
  const place = { credential: 'token' }
  for (const value of ['one', 'another']) {
    writeFileSync(join(folder, 'token'), value)
    expect(await readSecret(place)).toEqual({ kind: 'secret', value })
  }
})

test.each([
  [{ env: 'NOT_SET_ANYWHERE' }, 'the environment variable NOT_SET_ANYWHERE is not set'],
  [{ file: '/nonexistent/token' }, 'the file /nonexistent/token cannot be read: it does not exist'],
  [{ file: '/' }, 'the file / cannot be read: EISDIR'],
  [{ credential: 'absent' }, 'the systemd credential absent cannot be read: it does not exist'],
])('%j without a secret is permanent, and named', async (place, message) => {
  expect(await readSecret(place)).toEqual({ kind: 'permanent', code: 'NoCredentials', message })
})

test('an empty secret is none', async () => {
  writeFileSync(join(folder, 'token'), '\n')
  vi.stubEnv('SECRET_UNDER_TEST', '')
  for (const place of [{ credential: 'token' }, { env: 'SECRET_UNDER_TEST' }, { file: join(folder, 'token') }]) {
    const message = `${placeName(place)} is empty`
    expect(await readSecret(place)).toEqual({ kind: 'permanent', code: 'NoCredentials', message })
  }
})

test('without systemd a credential says what the unit needs', async () => {
  vi.stubEnv('CREDENTIALS_DIRECTORY', undefined)
  expect(await readSecret({ credential: 'token' })).toMatchObject({
    message: expect.stringContaining('LoadCredential=token:/path'),
  })
})

test('a Worker looks among its own secrets, and says how to set one', async () => {
  vi.stubEnv('SECRET_UNDER_TEST', 'of the Worker')
  expect(await findInWorker({ env: 'SECRET_UNDER_TEST' })).toEqual({ value: 'of the Worker' })
  expect(await findInWorker({ env: 'NOT_SET_ANYWHERE' })).toEqual({
    missing: expect.stringContaining('npx wrangler secret put NOT_SET_ANYWHERE'),
  })
  for (const place of [{ file: '/x' }, { credential: 'x' }]) {
    expect(await findInWorker(place)).toEqual({ missing: expect.stringContaining('has no files') })
  }
})

test.each([
  'hunter2-hunter2',
  { env: 'hunter2-hunter2' },
  { file: 'hunter2-hunter2' },
  { credential: '../hunter2-hunter2' },
  { env: 'A', file: '/a' },
  { value: 'hunter2-hunter2' },
  {},
  null,
])('%j is no place, and is not repeated', (given) => {
  const parsed = secretSchema.safeParse(given)
  expect(parsed.success).toBe(false)
  expect(parsed.error!.message).toContain('{env: NAME}')
  expect(parsed.error!.message).not.toContain('hunter2')
})
