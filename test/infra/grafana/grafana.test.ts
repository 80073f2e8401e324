/** The dashboard and the alert rules ask only for what control really says, so that neither can drift from it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { processText } from '../../../control/node/process-metrics.ts'
import { everything, scrape } from '../../control/everything.ts'
import { type Exposition, parseExposition } from '../../support/exposition.ts'
import { describeWith, programPath, promtool } from '../../support/peers.ts'

const folder = join(import.meta.dirname, '../../../infra/grafana')
const alertsFile = join(folder, 'alerts.yaml')

type Rule = {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<string, string>>
}
type Target = { readonly expr: string; readonly legendFormat: string }
type Panel = { readonly id: number; readonly title: string; readonly type: string; readonly targets: readonly Target[] }

const { groups } = parse(readFileSync(alertsFile, 'utf8')) as { groups: { name: string; rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8')) as {
  panels: Panel[]
  templating: { list: { name: string; query: string }[] }
}

let said: Exposition
beforeAll(async () => {
  const { samples, types } = await scrape(await everything())
  const own = parseExposition(processText())
  said = { samples: [...samples, ...own.samples], types: new Map([...types, ...own.types]) }
})

/** What Prometheus adds to every series, and the one series that is its own. */
const added = ['job', 'instance']
const itsOwn = 'up'

/** Words whose every value control says of each service, so that a value may be looked for. */
const complete = new Set(['phase'])

/** The metrics of an expression, each with the labels that it is asked for by. */
function metricsOf(expr: string): { name: string; matchers: { label: string; operator: string; value: string }[] }[] {
  return [...expr.matchAll(/\b((?:holdfast|process)_\w+|up)\b(?:\{([^}]*)\})?/g)].map(([, name, block = '']) => ({
    name: name!,
    matchers: [...block.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label, operator, value]) => ({
      label: label!,
      operator: operator!,
      value: value!,
    })),
  }))
}

/** Labels that an expression's series may have. */
function labelsOf(expr: string): Set<string> {
  const names = metricsOf(expr).map(({ name }) => name)
  const known = said.samples.filter(({ name }) => names.includes(name)).flatMap(({ labels }) => Object.keys(labels))
  const grouped = /\bby \(([^)]*)\)/.exec(expr)?.[1]
  if (grouped === undefined) return new Set([...known, ...added])
  return new Set(
    grouped
      .split(',')
      .map((label) => label.trim())
      .filter((label) => label !== 'le'),
  )
}

function expectKnown(expr: string): void {
  expect(metricsOf(expr), expr).not.toEqual([])
  for (const { name, matchers } of metricsOf(expr)) {
    if (name === itsOwn) continue
    const samples = said.samples.filter((sample) => sample.name === name)
    expect(samples.length, `${name}, in ${expr}`).toBeGreaterThan(0)
    for (const { label, operator, value } of matchers) {
      if (added.includes(label)) continue
      const values = samples.map(({ labels }) => labels[label])
      expect(values, `${name} has the label ${label}`).not.toContain(undefined)
      if (operator === '=' || complete.has(label)) expect(values, `${label} of ${name}`).toContain(value)
    }
  }
  const all = new Set(
    metricsOf(expr)
      .flatMap(({ name }) => said.samples.filter((sample) => sample.name === name))
      .flatMap(({ labels }) => Object.keys(labels)),
  )
  for (const [, list] of expr.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g)) {
    for (const label of list!.split(',').map((text) => text.trim())) expect([...all, ...added], expr).toContain(label)
  }
}

describe('alerts', () => {
  test.each(rules.map((rule) => ({ name: rule.alert, rule })))('$name', ({ rule }) => {
    expectKnown(rule.expr)
    expect(['critical', 'warning']).toContain(rule.labels.severity)
    for (const annotation of ['summary', 'description', 'action']) {
      expect(rule.annotations[annotation], annotation).toMatch(/\w/)
    }
    for (const text of Object.values(rule.annotations)) {
      for (const [, label] of text.matchAll(/\$labels\.(\w+)/g)) expect([...labelsOf(rule.expr)]).toContain(label)
    }
  })

  test('have names of their own', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  })
})

describe('dashboard', () => {
  test.each(dashboard.panels.map((panel) => ({ name: panel.title, panel })))('$name', ({ panel }) => {
    expect(panel.targets.length).toBeGreaterThan(0)
    for (const { expr, legendFormat } of panel.targets) {
      expectKnown(expr)
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect([...labelsOf(expr)]).toContain(label)
    }
  })

  test('has panels with ids of their own, and variables that are there', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    const text = JSON.stringify(dashboard.panels)
    const used = new Set([...text.matchAll(/\$\{?([a-z]\w*)\}?/g)].map(([, name]) => name))
    expect([...used].sort()).toEqual(dashboard.templating.list.map(({ name }) => name).sort())
    for (const { query } of dashboard.templating.list) {
      const asked = /^label_values\((\w+), (\w+)\)$/.exec(query)
      if (asked !== null) expect([...labelsOf(asked[1]!)]).toContain(asked[2])
    }
  })
})

test('nothing that control says is left out of both', () => {
  const text = JSON.stringify([dashboard, rules])
  const forgotten = [...said.types.keys()].filter((name) => !text.includes(name))
  // What is there for whoever asks by hand.
  expect(forgotten.sort()).toEqual([
    'holdfast_build_info',
    'holdfast_http_requests_total',
    'holdfast_moves_total',
    'process_cpu_seconds_total',
    'process_open_fds',
  ])
})

describeWith(promtool, 'promtool', () => {
  const run = (args: readonly string[], input = ''): string =>
    execFileSync(programPath('promtool')!, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })

  test('finds the rules in order', () => {
    expect(run(['check', 'rules', alertsFile])).toContain(`SUCCESS: ${rules.length} rules found`)
  })

  test('finds the metrics in order, as far as they follow its conventions', async () => {
    const { cluster, metrics } = await everything()
    const text = (await metrics.render(cluster)) + processText()
    expect(run(['check', 'metrics'], text)).toBe('')
  })
})
