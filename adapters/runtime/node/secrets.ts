/** Where secrets are found on a machine: the environment, files, and what systemd hands over (`LoadCredential=`). */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SecretPlace } from '../../secret.ts'
import type { Found } from '../found.ts'

export async function findSecret(place: SecretPlace): Promise<Found> {
  if ('env' in place) {
    const value = process.env[place.env]
    return value === undefined ? { missing: `the environment variable ${place.env} is not set` } : { value }
  }
  if ('file' in place) return fromFile(place.file, `the file ${place.file}`)
  const folder = process.env.CREDENTIALS_DIRECTORY
  if (folder === undefined) {
    const missing = `no systemd credentials here: the unit needs LoadCredential=${place.credential}:/path`
    return { missing }
  }
  return fromFile(join(folder, place.credential), `the systemd credential ${place.credential}`)
}

async function fromFile(path: string, name: string): Promise<Found> {
  try {
    return { value: await readFile(path, 'utf8') }
  } catch (error) {
    const code = (error as { code?: unknown }).code
    return { missing: `${name} cannot be read: ${code === 'ENOENT' ? 'it does not exist' : String(code)}` }
  }
}
