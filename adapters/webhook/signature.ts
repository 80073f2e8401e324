/**
 * How a receiver knows that a request is control's, and not an old one repeated:
 *
 *   x-holdfast-signature: t=1764057600,v1=5257a869e7ec…   HMAC-SHA256 by the shared secret, in hexadecimal, of `t.text`
 *
 * `text` is the body as it came, or of a GET the query as it came, without the question mark. A receiver verifies in
 * five lines (Node; `request.url` without a host):
 *
 *   const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request.headers['x-holdfast-signature']) ?? fail()
 *   const text = request.method === 'GET' ? request.url.split('?')[1] : body
 *   const own = createHmac('sha256', secret).update(`${t}.${text}`).digest()
 *   if (!timingSafeEqual(own, Buffer.from(v1, 'hex'))) fail()
 *   if (Math.abs(Date.now() / 1000 - Number(t)) > 300) fail()
 *
 * The last line bounds for how long a recorded request could be repeated; the epoch makes a repeat harmless.
 */

/** The value of `x-holdfast-signature` for `text`, sent at `now`. */
export async function signatureOf(secret: string, text: string, now: Date): Promise<string> {
  const seconds = Math.floor(now.getTime() / 1000)
  const bytes = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', bytes.encode(secret), algorithm, false, ['sign'])
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes.encode(`${seconds}.${text}`)))
  const hex = Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `t=${seconds},v1=${hex}`
}
