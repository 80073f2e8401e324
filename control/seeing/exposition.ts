/**
 * Prometheus' text format: counters, histograms and gauges as lines of text.
 *
 * Written here because the usual library, prom-client 15, loads Node's cluster, http, v8 and perf_hooks when it is
 * imported and does not start in a Worker; and because most of our series are computed while they are scraped.
 */

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8'

export type Counter = {
  /** `values` in the order of `labels`. */
  add(values: readonly string[], by?: number): void
  text(): string
}

export type Histogram = {
  observe(values: readonly string[], seconds: number): void
  text(): string
}

export type Described = {
  readonly name: string
  /** One line, without quotes to escape. */
  readonly help: string
  /** Names of its labels. Default: none. */
  readonly labels?: readonly string[]
}

type Type = 'counter' | 'gauge' | 'histogram'

/** `from`: series that are there from the beginning, since Prometheus sees no increase in a series that appears. */
export function createCounter({ from = [], ...described }: Described & { from?: readonly string[][] }): Counter {
  const { labels = [], name } = described
  const series = new Map(from.map((values) => [block(labels, values), 0]))
  if (labels.length === 0) series.set('', 0)
  return {
    add: (values, by = 1) => {
      const key = block(labels, values)
      series.set(key, (series.get(key) ?? 0) + by)
    },
    text: () =>
      `${head(described, 'counter')}${[...series].map(([key, value]) => `${name}${key} ${value}\n`).join('')}`,
  }
}

type Buckets = { readonly values: readonly string[]; readonly counts: number[]; sum: number; count: number }

/** `bounds`: upper limits of its buckets in seconds, growing; the last, infinity, is added. */
export function createHistogram({ bounds, ...described }: Described & { bounds: readonly number[] }): Histogram {
  const { labels = [], name } = described
  const series = new Map<string, Buckets>()
  const lines = ([key, { values, counts, sum, count }]: [string, Buckets]): string => {
    let below = 0
    const buckets = bounds.map((bound, i) => {
      below += counts[i]!
      return `${name}_bucket${block([...labels, 'le'], [...values, String(bound)])} ${below}\n`
    })
    const all = `${name}_bucket${block([...labels, 'le'], [...values, '+Inf'])} ${count}\n`
    return `${buckets.join('')}${all}${name}_sum${key} ${sum}\n${name}_count${key} ${count}\n`
  }
  return {
    observe: (values, seconds) => {
      const key = block(labels, values)
      const known = series.get(key) ?? { values, counts: bounds.map(() => 0), sum: 0, count: 0 }
      series.set(key, known)
      const bucket = bounds.findIndex((bound) => seconds <= bound)
      if (bucket >= 0) known.counts[bucket]! += 1
      known.sum += seconds
      known.count += 1
    },
    text: () => `${head(described, 'histogram')}${[...series].map(lines).join('')}`,
  }
}

/** What is not counted but computed while it is scraped. */
export type Family<Item> = Described & {
  /** Counter: somebody else has counted. Default: gauge. */
  readonly type?: 'gauge' | 'counter'
  /** The series of one item. */
  series(item: Item, set: (values: readonly string[], value: number) => void): void
}

/** `pause` is asked for after every item, and awaited when it gives a promise. */
export async function familyText<Item>(
  family: Family<Item>,
  items: readonly Item[],
  pause: () => Promise<void> | undefined,
): Promise<string> {
  const { labels = [], name } = family
  const chunks = [head(family, family.type ?? 'gauge')]
  // Joined by the thousand: strings that are added to one another cost more to collect than to make.
  let pieces: string[] = []
  const begin = `${name}{${labels[0]}="`
  const between = labels.slice(1).map((label) => `",${label}="`)
  const set = (values: readonly string[], value: number): void => {
    if (labels.length === 0) {
      pieces.push(name, ` ${value}\n`)
      return
    }
    pieces.push(begin, escapeLabel(values[0]!))
    for (let i = 0; i < between.length; i++) pieces.push(between[i]!, escapeLabel(values[i + 1]!))
    pieces.push('"} ', String(value), '\n')
  }
  for (const item of items) {
    family.series(item, set)
    if (pieces.length > 4_096) {
      chunks.push(pieces.join(''))
      pieces = []
    }
    const until = pause()
    if (until !== undefined) await until
  }
  return chunks.join('') + pieces.join('')
}

export function gaugeText(described: Described, value: number, type: 'gauge' | 'counter' = 'gauge'): string {
  return `${head(described, type)}${described.name} ${value}\n`
}

function head({ name, help }: Described, type: Type): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
}

function block(labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return ''
  let text = `{${labels[0]}="${escapeLabel(values[0]!)}"`
  for (let i = 1; i < labels.length; i++) text += `,${labels[i]}="${escapeLabel(values[i]!)}"`
  return `${text}}`
}

const special = /[\\"\n]/

function escapeLabel(value: string): string {
  if (!special.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
