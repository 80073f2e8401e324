/**
 * The OpenAPI document as a page for people.
 *
 * Written here instead of by a library: those that there are need megabytes of script from a public server, or as a
 * package with dozens of others, and control must be readable where there is no way out, also on Workers.
 */
import { html, raw } from 'hono/html'

type Schema = { readonly [key: string]: unknown }
type Content = { readonly [type: string]: { readonly schema?: Schema } }
type Parameter = {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema?: Schema
}
type Operation = {
  readonly tags?: readonly string[]
  readonly operationId?: string
  readonly summary?: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content?: Content }
  readonly responses: { readonly [status: string]: { readonly description?: string; readonly content?: Content } }
}
type Document = {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly tags?: readonly { readonly name: string; readonly description?: string }[]
  readonly paths?: object
  readonly components?: { readonly schemas?: object }
}

type Call = { readonly method: string; readonly path: string; readonly operation: Operation }

export function docsPage(document: unknown) {
  const { info, tags = [], paths = {}, components } = document as Document
  const calls = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Operation>).map(([method, operation]): Call => ({ method, path, operation })),
  )
  const groups = tags.map((tag) => ({
    ...tag,
    calls: calls.filter(({ operation }) => operation.tags?.[0] === tag.name),
  }))
  const schemas = Object.entries((components?.schemas ?? {}) as Record<string, Schema>)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title}</title>
<style>${raw(style)}</style>
</head>
<body>
<nav>
<h1>${info.title}</h1>
${groups.map(
  (group) => html`<h2>${group.name}</h2>
<ul>${group.calls.map(
    (call) => html`<li><a href="#${anchorOf(call)}"><b>${call.method.toUpperCase()}</b> ${call.path.slice(3)}</a></li>`,
  )}</ul>`,
)}
<h2>schemas</h2>
<ul>${schemas.map(([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`)}</ul>
</nav>
<main>
${paragraphs(info.description)}
<p>The same for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1), version ${info.version}.</p>
${groups.map(
  (group) => html`<h2>${group.name}</h2>
<p>${group.description}</p>
${group.calls.map(describeCall)}`,
)}
<h2>schemas</h2>
${schemas.map(
  ([name, schema]) => html`<section id="schema-${name}"><h3>${name}</h3><pre>${describe(schema, 0)}</pre></section>`,
)}
</main>
</body>
</html>`
}

const anchorOf = ({ operation, method, path }: Call): string => operation.operationId ?? `${method}${path}`

function describeCall(call: Call) {
  const { parameters = [], requestBody, responses, summary, description } = call.operation
  return html`<section id="${anchorOf(call)}">
<h3><b>${call.method.toUpperCase()}</b> <code>${call.path}</code></h3>
<p><strong>${summary}.</strong> ${inline(description)}</p>
${parameters.length === 0 ? '' : html`<table>${parameters.map(describeParameter)}</table>`}
${requestBody === undefined ? '' : html`<h4>body</h4>${describeContent(requestBody.content)}`}
<h4>answers</h4>
<dl>${Object.entries(responses).map(
    ([status, { description: what, content }]) =>
      html`<dt>${status}</dt><dd>${inline(what)}${status.startsWith('2') ? describeContent(content) : ''}</dd>`,
  )}</dl>
</section>`
}

function describeParameter({ name, in: place, required, description, schema }: Parameter) {
  const what = inline(description ?? (schema?.description as string | undefined))
  const type = describe(schema ?? {}, 0)
  return html`<tr><td><code>${name}</code></td><td>${place}${required ? ', required' : ''}</td><td>${type}</td><td>${what}</td></tr>`
}

function describeContent(content: Content | undefined) {
  return Object.entries(content ?? {}).map(
    ([type, { schema }]) => html`<pre><i>${type}</i>\n${describe(schema ?? {}, 0)}</pre>`,
  )
}

/** A schema in the notation of TypeScript, with links to those that have a name. */
function describe(schema: Schema, depth: number): ReturnType<typeof html> {
  const { $ref, type, properties, items, additionalProperties, required = [] } = schema
  const alternatives = (schema.anyOf ?? schema.oneOf ?? schema.allOf) as readonly Schema[] | undefined
  const values = (schema.enum ?? (schema.const === undefined ? undefined : [schema.const])) as unknown[] | undefined
  if (typeof $ref === 'string') {
    const name = $ref.split('/').at(-1)!
    return html`<a href="#schema-${name}">${name}</a>`
  }
  if (alternatives !== undefined) return joined(alternatives.map((one) => describe(one, depth)))
  if (values !== undefined) return joined(values.map((value) => html`${JSON.stringify(value)}`))
  if (Array.isArray(type)) return joined(type.map((one: string) => describe({ ...schema, type: one }, depth)))
  if (type === 'array') return html`[${describe((items ?? {}) as Schema, depth)}, …]`
  if (type !== 'object') return html`${String(type ?? 'any')}${boundsOf(schema)}`
  if (properties === undefined) {
    const inner = typeof additionalProperties === 'object' ? (additionalProperties as Schema) : {}
    return html`{[name]: ${describe(inner, depth)}}`
  }
  const margin = '  '.repeat(depth + 1)
  const lines = Object.entries(properties as Record<string, Schema>).map(([name, inner]) => {
    const note = typeof inner.description === 'string' ? html`  <i>${inline(inner.description)}</i>` : ''
    return html`\n${margin}${name}${(required as string[]).includes(name) ? '' : '?'}: ${describe(inner, depth + 1)}${note}`
  })
  return html`{${lines}\n${'  '.repeat(depth)}}`
}

function joined(parts: readonly ReturnType<typeof html>[]) {
  return html`${parts.map((part, i) => (i === 0 ? part : html` | ${part}`))}`
}

function boundsOf({ minimum, maximum, format, default: otherwise }: Schema): string {
  const range = minimum === undefined && maximum === undefined ? '' : ` ${minimum ?? ''}..${maximum ?? ''}`
  const fallback = otherwise === undefined ? '' : ` = ${JSON.stringify(otherwise)}`
  return `${typeof format === 'string' ? ` (${format})` : ''}${range}${fallback}`
}

function paragraphs(text: string | undefined) {
  return (text ?? '').split('\n\n').map((part) => html`<p>${inline(part)}</p>`)
}

/** Backquoted words as code. */
function inline(text: string | undefined) {
  return (text ?? '').split('`').map((part, i) => (i % 2 === 0 ? part : html`<code>${part}</code>`))
}

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 0; display: flex }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; flex: 0 0 21rem; padding: 0 1rem; box-sizing: border-box;
  border-right: 1px solid #8884; font-size: 13px }
nav ul { list-style: none; padding: 0; margin: 0 } nav b { display: inline-block; width: 4rem; font-size: 11px }
main { flex: 1; max-width: 54rem; padding: 1rem 2rem; min-width: 0 }
section { border-top: 1px solid #8884; padding-bottom: 1rem; scroll-margin-top: 1rem }
h1 { font-size: 1.2rem } h2 { text-transform: capitalize } h4 { margin: .5rem 0 }
pre { background: #8881; padding: .6rem; overflow: auto; border-radius: 4px } a { color: #2a7ae2; text-decoration: none }
td { padding: .1rem 1rem .1rem 0; vertical-align: top } dt { font-weight: 600 } i { opacity: .7 }
@media (max-width: 60rem) { body { display: block } nav { position: static; height: auto; border: 0 } }
`
