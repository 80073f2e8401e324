import { expect, test } from 'vitest'
import { createLinks } from '../../../control/link/links.ts'

test('until when the link of a node vouches for its last report: not before one has come over it, nor once it is closed', () => {
  let now = 1_000
  const links = createLinks({ now: () => now })
  const socket = { send: () => undefined, close: () => undefined }
  expect(links.aliveAt('n1')).toBeNull()
  links.heard('n1')
  expect(links.aliveAt('n1')).toBeNull()
  links.open('n1', socket, 'token')
  expect(links.aliveAt('n1')).toBeNull()
  links.heard('n1')
  expect(links.aliveAt('n1')).toBe(1_000)
  now = 2_500
  links.heard('n1')
  expect(links.aliveAt('n1')).toBe(2_500)
  links.heard('n1', 2_000)
  expect(links.aliveAt('n1')).toBe(2_500)
  expect(links.aliveAt('n2')).toBeNull()

  const newer = { ...socket }
  now = 3_000
  links.open('n1', newer, 'token')
  expect(links.close('n1', socket)).toBe(false)
  expect(links.aliveAt('n1')).toBeNull()
  links.heard('n1')
  expect(links.aliveAt('n1')).toBe(3_000)
  expect(links.close('n1', newer)).toBe(true)
  expect(links.aliveAt('n1')).toBeNull()
})
