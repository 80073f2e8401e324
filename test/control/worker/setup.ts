/** Every test of this project runs inside a Durable Object that nobody has used before; those about objects do not. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { aroundEach } from 'vitest'
import { withStorage } from './runtime.ts'

/** Vitest cannot stop its own clock for this hook, which it started outside of the object: longer than any test. */
const hookTimeoutMs = 120_000

aroundEach(async (runTest, { task }) => {
  // They put objects to sleep and take them away, which must not happen to the one that the test is in.
  if (task.file.filepath.endsWith('-object.test.ts')) return runTest()
  const { BLANK } = env as unknown as { BLANK: DurableObjectNamespace }
  await runInDurableObject(BLANK.get(BLANK.newUniqueId()), (_, { storage }) => withStorage(storage, runTest))
}, hookTimeoutMs)
