/** Lines that change where they stand, on a small terminal of our own that understands what real ones do. */
import { expect, test } from 'vitest'
import { createLive } from '../../../control/cli/terminal.ts'

/** What is on the screen, its lines wrapped at `columns`. Knows the few codes that are used, and no others. */
function createScreen(columns: number, rows: number) {
  let lines: string[] = ['']
  let row = 0
  let column = 0
  const put = (char: string): void => {
    if (column === columns) newline()
    lines[row] = `${(lines[row] ?? '').slice(0, column).padEnd(column)}${char}${(lines[row] ?? '').slice(column + 1)}`
    column += 1
  }
  const newline = (): void => {
    row += 1
    column = 0
    if (lines[row] === undefined) lines.push('')
  }
  const plain = (text: string): void => {
    for (const char of text) {
      if (char === '\n') newline()
      else if (char === '\r') column = 0
      else put(char)
    }
  }
  return {
    columns,
    rows,
    write: (text: string): boolean => {
      const [first = '', ...coded] = text.split('\x1b[')
      plain(first)
      for (const piece of coded) {
        const [code = '', count = '', letter = ''] = /^(\d*)([A-Z])/.exec(piece) ?? []
        if (letter === 'J') lines = [...lines.slice(0, row), (lines[row] ?? '').slice(0, column)]
        if (letter === 'A') row -= Number(count)
        plain(piece.slice(code.length))
      }
      return true
    },
    text: () => lines.join('\n'),
  }
}

test('is drawn in place, and what is printed stays above it', () => {
  const screen = createScreen(40, 10)
  const live = createLive(screen)
  live.draw('waiting 1\nfor web')
  expect(screen.text()).toBe('waiting 1\nfor web')
  live.print('step one')
  live.draw('waiting 2')
  expect(screen.text()).toBe('step one\nwaiting 2')
  live.print('step two')
  expect(screen.text()).toBe('step one\nstep two\nwaiting 2')
  live.clear()
  expect(screen.text()).toBe('step one\nstep two\n')
})

test('lines that are wrapped are taken away as a whole', () => {
  const screen = createScreen(10, 10)
  const live = createLive(screen)
  live.draw('this is a line of thirty signs\nshort')
  live.draw('new')
  expect(screen.text()).toBe('new')
})

test('what does not fit is cut, since what has scrolled away cannot be drawn again', () => {
  const screen = createScreen(20, 4)
  const live = createLive(screen)
  live.draw('one\ntwo\nthree\nfour\nfive')
  expect(screen.text()).toBe('one\ntwo\n… and 3 lines more')
})

test('what has not changed is not drawn again', () => {
  const written: string[] = []
  const live = createLive({ columns: 80, rows: 24, write: (text: string) => written.push(text) > 0 })
  live.draw('the same')
  live.draw('the same')
  expect(written).toHaveLength(1)
})
