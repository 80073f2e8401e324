/** The certificate of the server: read from its files, checked against its key, and read again when it was renewed. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { ControlConfig } from '../config/config.ts'

export type Tls = NonNullable<ControlConfig['tls']>
export type TlsFiles = { readonly cert: string; readonly key: string; readonly minVersion: 'TLSv1.2' }
export type TlsRead = { readonly files: TlsFiles; readonly expires: Date }

/** A certificate or key that cannot be used; the message names the file and says what to do. */
export class TlsError extends Error {
  override name = 'TlsError' as const
  readonly key: TlsKey
  readonly reason: string

  constructor(key: TlsKey, reason: string, options?: ErrorOptions) {
    super(`${key}: ${reason}`, options)
    this.key = key
    this.reason = reason
  }
}

/** Where in the configuration it is named. */
export type TlsKey = 'tls' | 'tls.certificate' | 'tls.key'

/** Files that do not begin with a slash are looked for beside the configuration file. */
export function readTls(tls: Tls, configFile: string): TlsRead {
  const [certificateFile, keyFile] = [placeOf(tls.certificate, configFile), placeOf(tls.key, configFile)]
  const cert = read('tls.certificate', certificateFile)
  const key = read('tls.key', keyFile)
  const { validTo } = parseCertificate(cert, certificateFile)
  const files = { cert, key, minVersion: 'TLSv1.2' } as const
  try {
    createSecureContext(files)
  } catch (error) {
    throw wrong(error as NodeJS.ErrnoException, certificateFile, keyFile)
  }
  return { files, expires: new Date(validTo) }
}

const placeOf = (file: string, configFile: string): string => resolve(dirname(resolve(configFile)), file)

/** Everything for which control would not start with these files, or nobody would talk to it. */
export function tlsProblems(tls: Tls, configFile: string, now: Date): TlsError[] {
  const unread = (['certificate', 'key'] as const).flatMap((which) =>
    refusalOf(() => void read(`tls.${which}`, placeOf(tls[which], configFile))),
  )
  if (unread.length > 0) return unread
  return refusalOf(() => {
    const { expires } = readTls(tls, configFile)
    if (expires > now) return
    const file = placeOf(tls.certificate, configFile)
    throw new TlsError('tls.certificate', `${file} has expired on ${expires.toISOString()}: renew it`)
  })
}

function refusalOf(work: () => void): TlsError[] {
  try {
    work()
    return []
  } catch (error) {
    if (error instanceof TlsError) return [error]
    throw error
  }
}

const soonMs = 7 * 24 * 3_600_000

/** A certificate that has run out, or soon will. No reason not to start: what points where is looked after all the same. */
export function expiryWarning(file: string, expires: Date, now: Date): string | null {
  const left = expires.getTime() - now.getTime()
  if (left >= soonMs) return null
  const when = expires.toISOString()
  const what = left <= 0 ? `has expired on ${when}: agents and people refuse it` : `expires on ${when}`
  return `tls.certificate: ${file} ${what}; renew it, and send control SIGHUP`
}

function read(key: TlsKey, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new TlsError(key, `${file}: ${readProblems[code] ?? message}`, { cause: error })
  }
}

const readProblems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: correct the path, which is relative to the configuration file',
  EACCES: 'permission denied: let the user that runs control read it',
  EISDIR: 'is a folder: name the file in it',
}

function parseCertificate(cert: string, file: string): X509Certificate {
  try {
    return new X509Certificate(cert)
  } catch (error) {
    const reason = `${file} holds no certificate: write PEM, this server's first, then its issuers'`
    throw new TlsError('tls.certificate', reason, { cause: error })
  }
}

function wrong(cause: NodeJS.ErrnoException, certificateFile: string, keyFile: string): TlsError {
  const { code, message } = cause
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' || code === 'ERR_OSSL_X509_KEY_TYPE_MISMATCH') {
    const reason = `the key in ${keyFile} does not belong to the certificate in ${certificateFile}: use the two that were made together`
    return new TlsError('tls', reason, { cause })
  }
  if (/PASSWORD|CIPHER|BAD_DECRYPT/i.test(`${code} ${message}`)) {
    const reason = `${keyFile} is encrypted, and nobody is there to type its passphrase: decrypt it (openssl pkey)`
    return new TlsError('tls.key', reason, { cause })
  }
  return new TlsError('tls.key', `${keyFile} holds no private key that can be used: write PEM (${message})`, { cause })
}
