/** Starts, in Node, the servers that tests in workerd look at and send to, and tells them where those are. */
import type { TestProject } from 'vitest/node'
import { type Outside, startOutside } from '../../support/outside.ts'

declare module 'vitest' {
  interface ProvidedContext {
    outside: Outside
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const { outside, close } = await startOutside()
  project.provide('outside', outside)
  return close
}
