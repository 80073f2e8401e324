/** EC2's Query protocol (version 2016-11-15): requests are forms, answers and errors are XML. */
import type { Ec2Request, Tree } from './ec2-request.ts'

export const apiVersion = '2016-11-15'

/** The request that a form-encoded body is. Undefined when it names no action. */
export function parseRequest(body: string): (Ec2Request & { readonly version: string }) | undefined {
  const params = Object.fromEntries(new URLSearchParams(body))
  const { Action: action, Version: version = '', ...rest } = params
  return action === undefined ? undefined : { action, version, params: rest }
}

export function answerXml(action: string, answer: Readonly<Record<string, Tree>>, requestId: string): string {
  const root = `${action}Response`
  const content = xmlOf({ requestId, ...answer })
  return `${declaration}<${root} xmlns="http://ec2.amazonaws.com/doc/${apiVersion}/">${content}</${root}>`
}

export function errorXml(code: string, message: string, requestId: string): string {
  const content = xmlOf({ Errors: { Error: { Code: code, Message: message } }, RequestID: requestId })
  return `${declaration}<Response>${content}</Response>`
}

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'

function xmlOf(tree: Tree): string {
  if (typeof tree === 'string') return escaped(tree)
  if (typeof tree === 'boolean') return String(tree)
  if (isList(tree)) return tree.map((item) => `<item>${xmlOf(item)}</item>`).join('')
  return Object.entries(tree)
    .map(([name, value]) => (value === undefined ? '' : `<${name}>${xmlOf(value)}</${name}>`))
    .join('')
}

function isList(tree: Tree): tree is readonly Tree[] {
  return Array.isArray(tree)
}

function escaped(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** The HTTP status that an error code comes with. */
export function statusOf(code: string): number {
  return statuses[code] ?? 400
}

const statuses: Readonly<Record<string, number>> = {
  AuthFailure: 401,
  UnauthorizedOperation: 403,
  OptInRequired: 403,
  DryRunOperation: 412,
  InternalError: 500,
  InternalFailure: 500,
  RequestLimitExceeded: 503,
  Throttling: 503,
  Unavailable: 503,
  ServiceUnavailable: 503,
}
