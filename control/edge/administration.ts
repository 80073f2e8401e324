/**
 * Where routes are written from outside, by whoever holds the edge's token:
 *
 *   PUT /_holdfast/routes/{service}   If-Match: "7"   takes the route if the row is still of that revision, and of no
 *                                                     higher epoch: 200, else 409, both with {epoch, revision}
 *   GET /_holdfast/routes/{service}                   {epoch, revision, route}; a service without a row has 0, 0, null
 *
 * Without a token nobody is told that it is here. An edge that follows control takes nothing from anybody else.
 */
import { type EdgeRoute, edgeRouteSchema } from './contract.ts'
import type { Held, Put } from './object.ts'
import { type EdgeProblem, problem } from './problem.ts'

/** What one call may use. */
export type Desk = {
  readonly token: string | undefined
  readonly followsControl: boolean
  object(): { held(service: string): Promise<Held>; put(route: EdgeRoute, revision?: number): Promise<Put> }
  /** The object has taken a route, and holds this since. */
  taken(service: string, held: Held): void
  failed(what: string, error: unknown): void
}

/** In bytes; a route takes some hundred. */
const longestBody = 64 * 1024
const routePath = /^\/_holdfast\/routes\/([^/]+)$/

/** Of any host: the path is the edge's own. */
export function isAdministration(request: Request): boolean {
  return new URL(request.url).pathname.startsWith('/_holdfast/')
}

export async function administer(request: Request, desk: Desk): Promise<Response> {
  if (desk.token === undefined) return problem(nothingHere)
  const given = /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  if (given === undefined || !(await isSame(given, desk.token))) {
    return problem(unauthorized, { 'www-authenticate': 'Bearer' })
  }
  const service = serviceOf(request)
  if (service === null) return problem(nothingHere)
  if (desk.followsControl) return problem(followsControl)
  try {
    if (request.method === 'GET') return answer(await desk.object().held(service))
    if (request.method === 'PUT') return await write(request, service, desk)
  } catch (error) {
    desk.failed('the object did not answer', error)
    return problem(unclear)
  }
  return problem(notAllowed, { allow: 'GET, PUT' })
}

async function write(request: Request, service: string, desk: Desk): Promise<Response> {
  const match = request.headers.get('if-match')
  const revision = match === null ? undefined : /^"(-?\d{1,15})"$/.exec(match)?.[1]
  if (match !== null && revision === undefined) return refuse(400, 'If-Match is a revision in quotes, such as "7"')
  const body = await textOf(request)
  if (body === null) return problem(tooLarge)
  const read = routeOf(body, service)
  if (typeof read === 'string') return refuse(422, read)
  const put = await desk.object().put(read, revision === undefined ? undefined : Number(revision))
  const { taken, ...present } = put
  if (!taken) return problem({ ...conflict, ...present }, etag(present))
  desk.taken(service, { ...present, route: read })
  return answer(present)
}

/** The route, or what is wrong with it. */
function routeOf(text: string, service: string): EdgeRoute | string {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return 'the body is no JSON'
  }
  const parsed = edgeRouteSchema.omit({ service: true }).safeParse(body)
  if (parsed.success) return { ...parsed.data, service }
  const [issue] = parsed.error.issues
  return `${issue?.path.join('.') || 'the body'}: ${issue?.message}`
}

function serviceOf(request: Request): string | null {
  const found = routePath.exec(new URL(request.url).pathname)?.[1]
  if (found === undefined) return null
  try {
    return decodeURIComponent(found)
  } catch {
    return null
  }
}

/** Null: longer than a route may be. It is read no further than that, whatever its length claims to be. */
async function textOf(request: Request): Promise<string | null> {
  let [text, length] = ['', 0]
  const decoder = new TextDecoder()
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength
    if (length > longestBody) return null
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** Their hashes are compared, in the same time wherever they differ, since the tokens need not be of one length. */
async function isSame(given: string, wanted: string): Promise<boolean> {
  const hash = (text: string) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  const [one, other] = await Promise.all([hash(given), hash(wanted)])
  return crypto.subtle.timingSafeEqual(one, other)
}

function answer(body: { readonly epoch: number; readonly revision: number }): Response {
  return Response.json(body, { headers: { 'cache-control': 'no-store', ...etag(body) } })
}

const etag = ({ revision }: { readonly revision: number }) => ({ etag: `"${revision}"` })

const refuse = (status: number, detail: string): Response =>
  problem({ status, code: 'invalid-route', title: status === 400 ? 'Bad Request' : 'Unprocessable Content', detail })

const nothingHere: EdgeProblem = {
  status: 404,
  code: 'not-found',
  title: 'Not Found',
  detail: 'there is nothing here',
}
const unauthorized: EdgeProblem = {
  status: 401,
  code: 'unauthorized',
  title: 'Unauthorized',
  detail: 'the token is not that of this edge',
}
const followsControl: EdgeProblem = {
  status: 403,
  code: 'follows-control',
  title: 'Forbidden',
  detail: 'this edge asks control for its map (HOLDFAST_URL) and takes it from nobody else',
}
const notAllowed: EdgeProblem = {
  status: 405,
  code: 'method-not-allowed',
  title: 'Method Not Allowed',
  detail: 'a route is read with GET and written with PUT',
}
const conflict: EdgeProblem = {
  status: 409,
  code: 'conflict',
  title: 'Conflict',
  detail: 'the route has a higher epoch, or was written since',
}
const tooLarge: EdgeProblem = {
  status: 413,
  code: 'too-large',
  title: 'Content Too Large',
  detail: `a route has at most ${longestBody} bytes`,
}
const unclear: EdgeProblem = {
  status: 500,
  code: 'unclear',
  title: 'Internal Server Error',
  detail: 'the object did not answer: what became of it is not known',
}
