/**
 * What a terminal can do that a file or a pipe cannot: colours, and lines that change where they stand.
 *
 * Colours follow the conventions that people expect (`NO_COLOR`, `FORCE_COLOR`, `TERM=dumb`), as Node knows them.
 */
import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Coloured where standard output is a terminal that shows colours; else as it is. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout })
}

/** Lines at the foot of the output that are drawn anew when they change. */
export type Live = {
  /** Replaces the live lines. */
  draw(text: string): void
  /** Writes lines that stay, above the live ones. */
  print(text: string): void
  /** Takes the live lines away; what was printed stays. */
  clear(): void
}

type Screen = Pick<NodeJS.WriteStream, 'write'> & { readonly columns?: number; readonly rows?: number }

export function createLive(screen: Screen): Live {
  let drawn = ''
  const erase = (): string => {
    const rows = rowsOf(drawn, screen.columns ?? 80)
    // To the first of the live lines, and from there everything below is cleared.
    return drawn === '' ? '' : `\r${rows > 1 ? `\x1b[${rows - 1}A` : ''}\x1b[J`
  }
  const draw = (text: string): void => {
    const fitting = crop(text, screen)
    screen.write(`${erase()}${fitting}`)
    drawn = fitting
  }
  return {
    draw: (text) => {
      if (crop(text, screen) !== drawn) draw(text)
    },
    print: (text) => {
      const below = drawn
      screen.write(`${erase()}${text}\n${below}`)
    },
    clear: () => {
      screen.write(erase())
      drawn = ''
    },
  }
}

/** What has scrolled out above cannot be drawn again, so that never more lines are drawn than there are. */
function crop(text: string, { columns = 80, rows = 24 }: Screen): string {
  if (rowsOf(text, columns) < rows) return text
  const lines = text.split('\n')
  const kept: string[] = []
  for (const line of lines) {
    if (rowsOf([...kept, line, 'more'].join('\n'), columns) >= rows) break
    kept.push(line)
  }
  return [...kept, `… and ${lines.length - kept.length} lines more`].join('\n')
}

function rowsOf(text: string, columns: number): number {
  const lines = stripVTControlCharacters(text).split('\n')
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / columns)), 0)
}
