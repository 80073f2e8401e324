/** Requests as a client of no strict cloud in particular makes them. */

export type Said = { readonly status: number; readonly headers: Headers; readonly json: unknown }

export type Given = { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }

/** A text is sent as it is, anything else as JSON. */
export async function askJson(method: string, url: string, { body, headers = {} }: Given = {}): Promise<Said> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const all = { 'content-type': 'application/json', ...headers }
  const response = await fetch(url, { method, headers: all, ...(text === undefined ? {} : { body: text }) })
  const said = await response.text()
  return { status: response.status, headers: response.headers, json: said === '' ? undefined : JSON.parse(said) }
}
