/** Every error that leaves over HTTP, as an RFC 9457 problem: what is wrong, where, and a `code` that programs may compare. */
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { z } from 'zod'
import type { ConfigProblem } from './config/config-file.ts'

export type Problem = {
  readonly status: ContentfulStatusCode
  /** Short and stable, such as `not-found`. */
  readonly code: string
  readonly detail: string
  /** For a request that does not fit: each place and what is wrong there. */
  readonly errors?: readonly { readonly place: string; readonly message: string }[]
}

/** Thrown by handlers; `app.onError` answers with it. */
export class ProblemError extends Error {
  override name = 'ProblemError' as const
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }
}

export function respond(context: Context, problem: Problem, headers: Record<string, string> = {}): Response {
  const body = { type: 'about:blank', title: titles[problem.status] ?? 'Error', ...problem }
  return context.json({ ...body, instance: context.req.path, requestId: context.get('requestId') }, problem.status, {
    'content-type': 'application/problem+json',
    'x-request-id': context.get('requestId'),
    'cache-control': 'no-store',
    ...headers,
  })
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

/** `target` is where zod looked: `body`, `query`, `path`. */
export function invalid(target: string, issues: readonly z.core.$ZodIssue[]): Problem {
  const errors = issues.map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
    const place = [target, ...issue.path, ...keys].map((part) => String(part)).join('.')
    return { place, message: issue.message }
  })
  return unfit(errors)
}

/** A declared service that does not fit, in the words in which a configuration file is told. */
export function misfit(problems: readonly ConfigProblem[]): Problem {
  return unfit(
    problems.map(({ key, message, hint }) => ({
      place: key === '' ? 'body' : `body.${key}`,
      message: hint === undefined ? message : `${message} (${hint})`,
    })),
  )
}

function unfit(errors: NonNullable<Problem['errors']>): Problem {
  const [first] = errors
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return { status: 400, code: 'invalid', detail: `${first?.place}: ${first?.message}${more}`, errors }
}

export function notFound(what: string): ProblemError {
  return new ProblemError({ status: 404, code: 'not-found', detail: `there is no ${what}` })
}

/** What stands in control's configuration file is changed there. */
export function declaredInFile(what: string): ProblemError {
  const detail = `${what} is declared in control's configuration file: change it there`
  return new ProblemError({ status: 409, code: 'declared-in-file', detail })
}
