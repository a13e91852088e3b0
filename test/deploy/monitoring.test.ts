import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { familiesOf } from '../support/prometheus.js'
import { isOnPath } from '../support/programs.mjs'
import { root } from '../support/small-model.js'
import { observedText } from '../server/observe/observed-text.js'

const folder = join(root, 'deploy')
const read = (file: string) => readFileSync(join(folder, file), 'utf8')

interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string; refId: string }[]
}
interface Rule {
  alert: string
  expr: string
  for: string
  labels: { severity: string }
  annotations: { summary: string }
}

const { panels, templating } = JSON.parse(read('grafana/wuerstchen.json')) as {
  panels: Panel[]
  templating: { list: { name: string; query: string | { query: string } }[] }
}
const { groups } = parse(read('prometheus/alerts.yaml')) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap(group => group.rules)

/** Every metric that a server tells of, by the names of its samples, with the labels that Prometheus adds and its own. */
const known = new Map<string, Set<string>>()
beforeAll(async () => {
  for (const { name, samples } of familiesOf(await observedText())) {
    const all = [{ name, labels: {} }, ...samples]
    for (const { name: each, labels } of all)
      known.set(each, new Set([...(known.get(each) ?? ['instance', 'job']), ...Object.keys(labels)]))
  }
})

/** The metrics of an expression that are not there, and the labels that they do not have. */
function unknownIn(expression: string): string[] {
  return [...expression.matchAll(/\b((?:wuerstchen|nodejs|process)_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name, matchers = '']) => {
    const labels = known.get(name!)
    if (labels === undefined) return [name!]
    return [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!).filter(label => !labels.has(label))
  })
}

test('what looks for unknown metrics finds them', () => {
  expect(unknownIn('rate(wuerstchen_no_such_total[5m])')).toEqual(['wuerstchen_no_such_total'])
  expect(unknownIn('wuerstchen_readiness{state="stalled"}')).toEqual(['state'])
  expect(unknownIn('wuerstchen_readiness{status="stalled", instance=~"a"}')).toEqual([])
})

describe('the dashboard', () => {
  test('asks for metrics and labels that there are', () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    expect(expressions.length).toBeGreaterThan(20)
    for (const { query } of templating.list) expressions.push(typeof query === 'string' ? query : query.query)
    expect(expressions.flatMap(unknownIn)).toEqual([])
  })

  test('has panels of different ids that lie beside each other', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`)
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true)
  })
})

describe('the alert rules', () => {
  test('ask for metrics and labels that there are', () => {
    expect(rules.flatMap(({ expr }) => unknownIn(expr))).toEqual([])
  })

  test('say how bad it is, after how long and what it is, and each has a test of its own', () => {
    const { tests } = parse(read('prometheus/alerts.test.yaml')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[]
    }
    const tested = tests.flatMap(each => each.alert_rule_test).filter(({ exp_alerts }) => exp_alerts.length > 0)
    expect([...new Set(tested.map(({ alertname }) => alertname))].sort()).toEqual(rules.map(({ alert }) => alert).sort())
    for (const rule of rules) {
      expect(rule.labels.severity).toMatch(/^(critical|warning)$/)
      expect(rule.for).toMatch(/^\d+m$/)
      expect(rule.annotations.summary).not.toBe('')
    }
  })

  test('are in the documentation, with what to do', () => {
    const page = readFileSync(join(root, 'docs', 'monitoring.md'), 'utf8')
    expect([...page.matchAll(/^\| `(Wuerstchen\w+)` \|/gm)].map(([, name]) => name)).toEqual(rules.map(({ alert }) => alert))
  })

  // Debian: apt-get install prometheus.
  test.skipIf(!isOnPath('promtool'))('hold by promtool, which also runs their tests', () => {
    for (const args of [
      ['check', 'rules', 'alerts.yaml'],
      ['test', 'rules', 'alerts.test.yaml']
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: join(folder, 'prometheus'), encoding: 'utf8' })
      expect(status, stdout + stderr).toBe(0)
    }
  })
})
