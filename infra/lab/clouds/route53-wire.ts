/** Route 53's wire format (2013-04-01): paths say what is asked, bodies and answers are XML. */
import type { Change, RecordSet } from './route53-rules.ts'

export const namespace = 'https://route53.amazonaws.com/doc/2013-04-01/'

/** A request by its method and path. `params` has the query too, under the names it has there. */
export type Route53Request = { readonly action: string; readonly params: Readonly<Record<string, string>> }

const routes: readonly { readonly method: string; readonly path: RegExp; readonly action: string }[] = [
  { method: 'GET', path: /^\/2013-04-01\/hostedzone\/(?<zone>[^/]+)$/, action: 'GetHostedZone' },
  { method: 'GET', path: /^\/2013-04-01\/hostedzone\/(?<zone>[^/]+)\/rrset\/?$/, action: 'ListResourceRecordSets' },
  { method: 'POST', path: /^\/2013-04-01\/hostedzone\/(?<zone>[^/]+)\/rrset\/?$/, action: 'ChangeResourceRecordSets' },
  { method: 'GET', path: /^\/2013-04-01\/change\/(?<change>[^/]+)$/, action: 'GetChange' },
]

export function parseRequest(method: string, target: string): Route53Request | undefined {
  const url = new URL(target, 'http://route53')
  for (const route of routes) {
    const groups = route.method === method ? route.path.exec(url.pathname)?.groups : undefined
    if (groups !== undefined)
      return { action: route.action, params: { ...Object.fromEntries(url.searchParams), ...groups } }
  }
  return undefined
}

/** An element: its text, or its children in order. */
export type Element = { readonly name: string; readonly text: string; readonly children: readonly Element[] }

/** Undefined when it is no XML that Route 53 would read. Attributes are left out. */
export function parseXml(text: string): Element | undefined {
  const tokens = [...text.replace(/^\s*<\?xml[^>]*\?>\s*/, '').matchAll(/<(\/?)([A-Za-z]+)[^>]*?(\/?)>|([^<]+)/g)]
  if (tokens.map(([token]) => token).join('') !== text.replace(/^\s*<\?xml[^>]*\?>\s*/, '')) return undefined
  type Open = { name: string; text: string; children: Element[] }
  const stack: Open[] = [{ name: '', text: '', children: [] }]
  for (const [, closes, name, empty, words] of tokens) {
    const top = stack.at(-1)!
    if (words !== undefined) top.text += unescaped(words)
    else if (closes === '') {
      const element: Open = { name: name!, text: '', children: [] }
      top.children.push(element)
      if (empty === '') stack.push(element)
    } else if (top.name !== name || stack.pop() === undefined) return undefined
  }
  const root = stack[0]!
  const isWhole = stack.length === 1 && root.children.length === 1 && root.text.trim() === ''
  return isWhole ? root.children[0] : undefined
}

/** The changes of a batch. A text instead says what is wrong with the document. */
export function parseBatch(body: string): readonly Change[] | string {
  const root = parseXml(body)
  if (root?.name !== 'ChangeResourceRecordSetsRequest') return 'Invalid XML: no ChangeResourceRecordSetsRequest'
  const changes = at(root, 'ChangeBatch', 'Changes')?.children ?? []
  if (changes.length === 0) return "Missing field 'Changes'"
  const parsed = changes.map(parseChange)
  return parsed.find((change) => typeof change === 'string') ?? parsed.filter((change) => typeof change !== 'string')
}

function parseChange(change: Element): Change | string {
  const action = textAt(change, 'Action') ?? ''
  if (!isAction(action)) return `Value '${action}' is not facet-valid: it must be CREATE, DELETE or UPSERT`
  const set = at(change, 'ResourceRecordSet')
  const [name, type] = [textAt(set, 'Name'), textAt(set, 'Type')]
  if (set === undefined || name === undefined || type === undefined) return "Missing field 'ResourceRecordSet'"
  const ttl = textAt(set, 'TTL')
  const alias = at(set, 'AliasTarget')
  const values = at(set, 'ResourceRecords')?.children.map((record) => textAt(record, 'Value') ?? '')
  if (alias === undefined && (ttl === undefined || values === undefined)) {
    return `Invalid request: Missing field '${ttl === undefined ? 'TTL' : 'ResourceRecords'}' in ResourceRecordSet`
  }
  const given = {
    setIdentifier: textAt(set, 'SetIdentifier'),
    weight: textAt(set, 'Weight'),
    ttl: ttl === undefined ? undefined : Number(ttl),
    alias: alias === undefined ? undefined : aliasOf(alias),
  }
  return { action, set: { name, type, values: values ?? [], ...defined(given) } as RecordSet }
}

function isAction(action: string): action is Change['action'] {
  return action === 'CREATE' || action === 'DELETE' || action === 'UPSERT'
}

function aliasOf(alias: Element): NonNullable<RecordSet['alias']> {
  return {
    hostedZoneId: textAt(alias, 'HostedZoneId') ?? '',
    dnsName: textAt(alias, 'DNSName') ?? '',
    evaluateTargetHealth: textAt(alias, 'EvaluateTargetHealth') === 'true',
  }
}

function defined(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function at(element: Element | undefined, ...path: readonly string[]): Element | undefined {
  return path.reduce<Element | undefined>(
    (found, name) => found?.children.find((child) => child.name === name),
    element,
  )
}

function textAt(element: Element | undefined, name: string): string | undefined {
  return at(element, name)?.text
}

/** What an answer is made of: a list's entries are elements of its own. */
export type Tree = string | readonly (readonly [string, Tree | undefined])[]

export function answerXml(name: string, tree: Tree): string {
  return `<?xml version="1.0"?>\n<${name} xmlns="${namespace}">${xmlOf(tree)}</${name}>`
}

export function errorXml(code: string, message: string, requestId: string): string {
  return answerXml('ErrorResponse', [
    [
      'Error',
      [
        ['Type', 'Sender'],
        ['Code', code],
        ['Message', message],
      ],
    ],
    ['RequestId', requestId],
  ])
}

export function setTree({ name, type, ttl, values, alias, setIdentifier, weight }: RecordSet): Tree {
  return [
    ['Name', name],
    ['Type', type],
    ['SetIdentifier', setIdentifier],
    ['Weight', weight],
    ['TTL', ttl === undefined ? undefined : String(ttl)],
    [
      'ResourceRecords',
      alias === undefined ? values.map((value) => ['ResourceRecord', [['Value', value]]]) : undefined,
    ],
    [
      'AliasTarget',
      alias && [
        ['HostedZoneId', alias.hostedZoneId],
        ['DNSName', alias.dnsName],
        ['EvaluateTargetHealth', String(alias.evaluateTargetHealth)],
      ],
    ],
  ]
}

function xmlOf(tree: Tree): string {
  if (typeof tree === 'string') return tree.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)
  return tree.map(([name, value]) => (value === undefined ? '' : `<${name}>${xmlOf(value)}</${name}>`)).join('')
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9A-Fa-f]+)|([a-z]+));/g, (whole, decimal, hexadecimal, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hexadecimal !== undefined) return String.fromCodePoint(Number.parseInt(hexadecimal, 16))
    return entities[name] ?? whole
  })
}
