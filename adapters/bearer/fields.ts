/** Fields that the configurations of token-bearing providers share. */
import { z } from 'zod'

/** A base URL, without a slash at its end. */
export const baseUrl = z
  .url({ protocol: /^https?$/, error: 'an endpoint is a URL like https://api.example.com' })
  .refine((value) => !/^[a-z]+:\/\/[^/?#]*@/i.test(value), 'an endpoint holds no user name or password')
  .refine((value) => !/[?#]/.test(value), 'an endpoint has no query and no fragment')
  .transform((value) => value.replace(/\/+$/, ''))
