/** What a `webhook` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { dataSchema } from '../data.ts'
import { placeName, secretSchema } from '../secret.ts'
import { hasNoLogin } from '../url.ts'

const receiverUrl = z
  .url({ protocol: /^https?$/, error: 'a receiver is a URL like https://receiver.example.com/holdfast' })
  .refine(hasNoLogin, 'a URL holds no user name or password: deliveries are signed')
  .refine((value) => !value.includes('#'), 'a URL that is called has no fragment (#...)')

const configSchema = z
  .strictObject({
    url: receiverUrl.describe('where deliveries are posted'),
    secret: secretSchema,
    observe: z
      .boolean()
      .default(true)
      .describe('the receiver answers GET; false: what it accepted is believed, and delivered again after a restart'),
    observeUrl: receiverUrl.optional().describe('where the receiver is asked, if not at `url`'),
    fenced: z.boolean().default(false).describe('the receiver refuses, by 409, an epoch lower than one it accepted'),
    settleSeconds: z
      .int()
      .min(0)
      .max(600)
      .default(5)
      .describe('how long after an accepted delivery the receiver may still answer with what was before it'),
  })
  .refine(({ observe, observeUrl }) => observe || observeUrl === undefined, {
    path: ['observeUrl'],
    error: 'with observe: false nobody is asked: leave observeUrl out',
  })

const targetSchema = z.strictObject({
  data: dataSchema('a JSON object that is delivered as `target`, as it is'),
})

export type WebhookConfig = z.output<typeof configSchema>
export type WebhookTarget = z.output<typeof targetSchema>

export const webhookSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'webhook',
  moves: 'whatever a receiver of your own moves when it is told',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      url: 'https://receiver.example.com/holdfast',
      secret: { credential: 'holdfast-webhook' },
      fenced: true,
    },
    targets: { n1: { data: { pool: 'blue' } }, n2: { data: { pool: 'green' } } },
  },
  // After a restart control knows nothing of such a receiver, and would take that for somebody else's change.
  check: ({ config: { observe }, drift }) =>
    observe || drift === 'reassert'
      ? null
      : {
          path: ['drift'],
          message: `cannot be ${drift} with observe: false, since changes are not seen there and a restart looks like one`,
          hint: 'leave drift out, or let the receiver answer GET and leave observe out',
        },
  permissions: ({ config: { url, secret, observe, observeUrl } }) => [
    {
      kind: 'grant',
      provider: 'receiver',
      grants: [
        `accept POST at ${shown(url)}, signed by the secret in ${placeName(secret)}`,
        ...(observe ? [`answer GET at ${shown(observeUrl ?? url)}, signed by the same secret`] : []),
      ],
    },
  ],
  budget: () => null,
}

/** A URL for people: a query may hold what not everybody should read. */
export function shown(url: string): string {
  return url.replace(/\?.*$/, '')
}
