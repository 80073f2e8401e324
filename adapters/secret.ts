/**
 * Where an adapter's credential is found. The credential itself is never written into a configuration, since that is
 * shown by the API and kept in the database: only its place is. It is read at each use, so that one that was replaced
 * needs no restart.
 */
import { z } from 'zod'
import { findSecret } from '#runtime/secrets'
import type { Failure } from './adapter.ts'

const hint = 'write where it is found: {env: NAME}, {file: /path} or {credential: name of a systemd credential}'

/** Whoever may declare services over the API must not learn by it what else control's machine holds. */
const ofFile = { why: "names a file of control's machine" }
const ofEnvironment = {
  why: "names a variable of control's environment that does not begin with HOLDFAST_SECRET_",
  allows: '^HOLDFAST_SECRET_',
}

const places = z
  .union(
    [
      z.strictObject({
        env: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, hint)
          .meta({ overApi: ofEnvironment }),
      }),
      z.strictObject({ file: z.string().regex(/^\//, hint).meta({ overApi: ofFile }) }),
      z.strictObject({ credential: z.string().regex(/^[A-Za-z0-9_.@-]+$/, hint) }),
    ],
    { error: () => `a secret is not written here: ${hint}` },
  )
  .meta({ secretPlace: true, description: 'where the secret is found' })

export type SecretPlace = z.output<typeof places>

/** A secret of an adapter's configuration: `{env: NAME}`, `{file: /path}` or `{credential: name}`. */
export const secretSchema: z.ZodType<SecretPlace, SecretPlace> = places

/** The secret as it is now, without the line break that files end with; a permanent failure says where it was sought. */
export async function readSecret(
  place: SecretPlace,
): Promise<{ readonly kind: 'secret'; readonly value: string } | Failure> {
  const found = await findSecret(place)
  if ('missing' in found) return { kind: 'permanent', code: 'NoCredentials', message: found.missing }
  const value = found.value.replace(/\r?\n$/, '')
  if (value !== '') return { kind: 'secret', value }
  return { kind: 'permanent', code: 'NoCredentials', message: `${placeName(place)} is empty` }
}

export function placeName(place: SecretPlace): string {
  if ('env' in place) return `the environment variable ${place.env}`
  if ('file' in place) return `the file ${place.file}`
  return `the systemd credential ${place.credential}`
}
