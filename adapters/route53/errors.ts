/** What the codes of the Route 53 API mean, beside those that all of AWS shares. */
import type { ErrorTable } from '../aws/errors.ts'

/** What is said of a batch whose records are not as it supposed: somebody else has written since. */
const changedSince = /values provided do not match|it was not found|it already exists/i

export const route53Errors: ErrorTable = {
  provider: 'Route 53',
  codes: {
    // Another change of the same zone is being made.
    PriorRequestNotComplete: 'retry',
    NoSuchHostedZone: 'permanent',
    InvalidInput: 'permanent',
  },
  // A protected record, values that are none, and a CNAME beside others have the same code as a batch that came late.
  kindOf: (code, message) => {
    if (code !== 'InvalidChangeBatch') return undefined
    return changedSince.test(message) ? 'conflict' : 'permanent'
  },
}

type Refusal = {
  readonly name?: unknown
  readonly Messages?: { readonly Message?: unknown }
  readonly messages?: unknown
}

/**
 * Route 53 refuses a batch in either of two documents. The SDK understands one of them only; of the other it says
 * `Unknown`, with the parsed document beside it.
 */
export function recognised(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error
  const { name, Messages, messages } = error as Refusal
  if (name === 'Unknown' && Messages?.Message !== undefined) {
    const message = [Messages.Message].flat().join(' ')
    return Object.assign(Object.create(error), { name: 'InvalidChangeBatch', message })
  }
  if (name === 'InvalidChangeBatch' && Array.isArray(messages) && messages.length > 0) {
    return Object.assign(Object.create(error), { message: [(error as Error).message, ...messages].join(' ') })
  }
  return error
}
