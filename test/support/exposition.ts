/** Reads Prometheus' text format, strictly: what it does not understand, it throws. */

export type Sample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}
export type Exposition = {
  readonly samples: readonly Sample[]
  /** By metric: a histogram's `_bucket`, `_sum` and `_count` are samples of one metric. */
  readonly types: ReadonlyMap<string, string>
}

export function parseExposition(text: string): Exposition {
  const samples: Sample[] = []
  const types = new Map<string, string>()
  const helped = new Set<string>()
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.split('\n').slice(0, -1)) {
    const [, word, about, rest] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? []
    if (word === 'HELP') helped.add(about!)
    else if (word === 'TYPE') {
      if (types.has(about!) || !helped.has(about!)) throw new Error(`${about} is described twice, or without words`)
      types.set(about!, rest!)
    } else samples.push(parseSample(line))
  }
  const series = samples.map(({ name, labels }) => JSON.stringify([name, Object.entries(labels).sort()]))
  if (new Set(series).size !== series.length) throw new Error('a series is there twice')
  for (const { name } of samples) {
    const metric = name.replace(/_(bucket|sum|count)$/, '')
    if (!types.has(name) && types.get(metric) !== 'histogram') throw new Error(`${name} has no type`)
  }
  return { samples, types }
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
  if (match === null) throw new Error(`not a sample: ${line}`)
  const [, name, block = '', value] = match
  const pairs = [...block.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(,|$)/g)]
  if (pairs.map(([whole]) => whole).join('') !== block) throw new Error(`not labels: ${line}`)
  const labels = Object.fromEntries(pairs.map(([, key, text]) => [key!, unescapeLabel(text!)]))
  if (Number.isNaN(Number(value))) throw new Error(`not a number: ${line}`)
  return { name: name!, labels, value: Number(value) }
}

function unescapeLabel(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter))
}
