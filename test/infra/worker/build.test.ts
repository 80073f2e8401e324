/** What would be deployed to Cloudflare: that wrangler takes it, and that it is small enough. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { buildWorker } from '../../../infra/worker/build.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const kib = 1024

test('wrangler deploy --dry-run passes; the bundle is stated and stays well below the 3 MiB of the free plan', async () => {
  const { bytes, gzipBytes } = await buildWorker(folder)
  process.stderr.write(`control on Workers: ${Math.round(bytes / kib)} KiB, gzip ${Math.round(gzipBytes / kib)} KiB\n`)
  // Something that grows it by half should be noticed, and be worth it.
  expect(gzipBytes).toBeLessThan(700 * kib)
  expect(gzipBytes).toBeGreaterThan(50 * kib)
}, 120_000)

test('what wrangler refuses is an error with its words', async () => {
  const nowhere = join(import.meta.dirname, 'nowhere.toml')
  await expect(buildWorker(folder, nowhere)).rejects.toThrow(
    /wrangler deploy --dry-run ended with 1:[\s\S]*nowhere\.toml/,
  )
}, 120_000)
