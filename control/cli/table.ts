/** Text for people: columns that line up, and times as long ago as they are. */
import { stripVTControlCharacters } from 'node:util'

/** Rows of cells, the first one a heading. Columns are as wide as their widest cell; colours take no room. */
export function table(rows: readonly (readonly string[])[]): string {
  return tableLines(rows).join('\n')
}

export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? ''))))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell + ' '.repeat(widths[column]! - widthOf(cell))))
      .join('  ')
      .trimEnd(),
  )
}

const widthOf = (cell: string): number => stripVTControlCharacters(cell).length

/** `3s`, `12m`, `5h`, `9d`. */
export function ago(since: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(since)) / 1_000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`
}
