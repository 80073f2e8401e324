/** What an `exec` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { dataSchema } from '../data.ts'

// A NUL ends an argument for the system, whatever comes after it.
const argument = z.string().refine((value) => !value.includes('\0'), 'an argument holds no NUL')

const configSchema = z.strictObject({
  command: z
    .tuple(
      [argument.regex(/^\//, 'a program is named by its absolute path, like /usr/local/bin/move-service')],
      argument,
    )
    .meta({ overApi: { why: "names a program of control's machine" } })
    .describe('the program by its absolute path, and its arguments; no shell reads them'),
  env: z
    .array(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable is named like API_TOKEN; its value is taken from control')
        .refine(
          (name) => /^(?!HOLDFAST_)|^HOLDFAST_SECRET_/.test(name),
          'of HOLDFAST_* only HOLDFAST_SECRET_* are passed on',
        ),
    )
    .meta({ overApi: { why: "names variables of control's environment" } })
    .default([])
    .describe("names of control's environment variables that the program gets beside PATH and LANG"),
  data: dataSchema('a JSON object that the program reads as `config`'),
  fenced: z.boolean().default(false).describe('the program refuses an epoch lower than one it has applied'),
  settleSeconds: z
    .int()
    .min(0)
    .max(600)
    .default(5)
    .describe('how long after a move the program may still see what was before it'),
})

const targetSchema = z.strictObject({
  data: dataSchema('a JSON object that the program reads as `target`'),
})

export type ExecConfig = z.output<typeof configSchema>
export type ExecTarget = z.output<typeof targetSchema>

export const execSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'exec',
  moves: 'whatever a program of your own moves',
  config: configSchema,
  target: targetSchema,
  example: {
    config: { command: ['/usr/local/bin/move-pool', '--pool', 'web'], env: ['POOL_TOKEN'], fenced: true },
    targets: { n1: { data: { member: 'blue' } }, n2: { data: { member: 'green' } } },
  },
  permissions: ({ config: { command, env } }) => [
    {
      kind: 'grant',
      provider: 'this machine',
      grants: [
        `the user that control runs as may execute ${command[0]}`,
        ...env.map((name) => `control's environment has ${name}`),
      ],
    },
  ],
  budget: () => null,
}
