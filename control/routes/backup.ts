/** `GET /v1/backup`: the whole database as it is now, while control goes on. It holds hashes of tokens: administrators only. */
import type { OpenAPIHono } from '@hono/zod-openapi'
import { allow, type Env } from '../auth.ts'
import { ProblemError } from '../problem.ts'
import { createRouter, type RouteInput } from './context.ts'

export function backupRoutes({ authenticate, takeBackup }: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  router.get('/v1/backup', allow(authenticate, 'admin'), async (context) => {
    if (takeBackup === undefined) {
      const detail = 'this runtime keeps the database itself: Durable Objects have point-in-time recovery instead'
      throw new ProblemError({ status: 501, code: 'not-here', detail })
    }
    const { bytes, stream } = await takeBackup()
    return context.body(stream, 200, {
      'content-type': 'application/vnd.sqlite3',
      'content-length': String(bytes),
      'content-disposition': 'attachment; filename="holdfast-control.db"',
      'cache-control': 'no-store',
    })
  })
  return router
}
