/** What every refusal of the API has in common, checked wherever one is looked at. */
import { expect } from 'vitest'

export type Problem = {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly errors?: readonly { readonly place: string; readonly message: string }[]
}

/** The problem document of a refusal (RFC 9457). */
export async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const problem = (await response.json()) as Problem & { type: string; title: string; requestId: string }
  expect(problem.status).toBe(response.status)
  expect(problem.title).not.toBe('Error')
  expect(problem.requestId).toBe(response.headers.get('x-request-id'))
  return problem
}
