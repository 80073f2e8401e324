/** `GET /v1/backup`: the whole database as it is now, while control goes on. It holds hashes of tokens: administrators only. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Env } from '../access/auth.ts'
import { ProblemError } from '../problem.ts'
import { createRouter, needs, problemContent, problems, type RouteInput } from './context.ts'

const contentType = 'application/vnd.sqlite3'

export function backupRoutes({ takeBackup }: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const route = createRoute({
    method: 'get',
    path: '/v1/backup',
    summary: 'The whole database as it is now',
    ...needs('admin'),
    responses: {
      200: {
        content: { [contentType]: { schema: z.string().openapi({ format: 'binary' }) } },
        description: 'An SQLite database, whole in itself',
      },
      ...problems(401, 403),
      501: { ...problemContent, description: 'The runtime keeps the database itself' },
    },
  })
  router.openapi(route, async (context) => {
    if (takeBackup === undefined) {
      const detail = 'this runtime keeps the database itself: Durable Objects have point-in-time recovery instead'
      throw new ProblemError({ status: 501, code: 'not-here', detail })
    }
    const { bytes, stream } = await takeBackup()
    return context.body(stream, 200, {
      'content-type': contentType,
      'content-length': String(bytes),
      'content-disposition': 'attachment; filename="holdfast-control.db"',
      'cache-control': 'no-store',
    }) as never
  })
  return router
}
