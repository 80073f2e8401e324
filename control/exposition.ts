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

export type Gauge = {
  set(values: readonly string[], value: number): void
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

/** Filled anew for each scrape. `type` counter: counted by somebody else. */
export function createGauge(described: Described, type: 'gauge' | 'counter' = 'gauge'): Gauge {
  const { labels = [], name } = described
  const lines = [head(described, type)]
  return {
    set: (values, value) => void lines.push(`${name}${block(labels, values)} ${value}\n`),
    text: () => lines.join(''),
  }
}

function head({ name, help }: Described, type: Type): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
}

function block(labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return ''
  let text = '{'
  for (let i = 0; i < labels.length; i++) text += `${i === 0 ? '' : ','}${labels[i]}="${escapeLabel(values[i]!)}"`
  return `${text}}`
}

function escapeLabel(value: string): string {
  if (!/[\\"\n]/.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
