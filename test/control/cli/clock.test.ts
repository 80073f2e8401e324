/** A machine whose clock is far from control's: what is long ago is told by control's. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { describeServices } from '../../../control/cli/status-text.ts'
import { runHoldfast } from '../../support/control-process.ts'
import { nowMs, service } from '../../support/service-views.ts'

test('status believes the clock of whoever answers', async () => {
  const services = [service()]
  const server = createServer((_, response) => {
    response.setHeader('date', new Date(nowMs).toUTCString())
    response.end(JSON.stringify({ services }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { code, stdout } = await runHoldfast(['status', '--url', url])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${describeServices(services, nowMs)}\n` })
    expect(stdout).toContain('all well')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
