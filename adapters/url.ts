/** URLs in configurations of adapters: what all of them refuse, in the same words. */
import { z } from 'zod'

/** A login in a URL would be shown wherever the configuration is. */
export const hasNoLogin = (value: string): boolean => !/^[a-z]+:\/\/[^/?#]*@/i.test(value)

/** `error`: what one is like. `what`: how it is called, at the beginning of a sentence. */
export function plainUrl(error: string, what = 'an endpoint') {
  return z.url({ protocol: /^https?$/, error }).refine(hasNoLogin, `${what} holds no user name or password`)
}

/** What paths are put after: without a query, a fragment, or a slash at its end. */
export function baseUrl(example: string) {
  return plainUrl(`an endpoint is a URL like ${example}`)
    .refine((value) => !/[?#]/.test(value), 'an endpoint has no query and no fragment')
    .transform((value) => value.replace(/\/+$/, ''))
}
