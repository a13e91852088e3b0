import { spawnSync } from 'node:child_process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { createServer } from '../../../lib/server/index.js'
import { VERSION } from '../../../lib/version.js'
import { tinyModel } from '../fake-backend.js'
import { familiesOf, type Family } from '../../support/prometheus.js'
import { isOnPath } from '../../support/programs.mjs'
import { observedText } from './observed-text.js'

/** Base units, https://prometheus.io/docs/practices/naming/#base-units, and what may not stand in their place. */
const OTHER_UNITS = /_(ms|millis|milliseconds|minutes|hours|days|kb|mb|mib|kilobytes|megabytes|bits|percent)(_|$)/

test('names and units are those of the conventions of Prometheus', async () => {
  const families = familiesOf(await observedText())
  const problems = families.flatMap(({ name, type, help, samples }: Family) => [
    ...(/^[a-z][a-z0-9_]*$/.test(name) ? [] : [`${name}: no name`]),
    ...(help === '' ? [`${name}: no help`] : []),
    ...(type === 'counter' && !name.endsWith('_total') ? [`${name}: a counter ends in _total`] : []),
    ...(type !== 'counter' && /_(total|sum|count|bucket)$/.test(name) ? [`${name}: only a counter ends so`] : []),
    ...(OTHER_UNITS.test(name) ? [`${name}: no base unit`] : []),
    ...(type === 'histogram' && !/_(seconds|bytes)$/.test(name) ? [`${name}: no unit`] : []),
    ...(name.includes(type) && type !== 'summary' ? [`${name}: the type is in the name`] : []),
    ...(samples.length === 0 && name.startsWith('wuerstchen_') && UNLABELLED.test(name) ? [`${name}: no sample`] : [])
  ])
  expect(problems).toEqual([])
  expect(families.filter(({ name }) => name.startsWith('wuerstchen_')).length).toBeGreaterThan(25)
})

/** Figures without labels are there from the start, as 0. */
const UNLABELLED = /^wuerstchen_(queue_depth|jobs_running|held_bytes|kept_bytes|jobs_kept|http_open_streams)$/

// Debian: apt-get install prometheus.
test.skipIf(!isOnPath('promtool'))('promtool finds nothing wrong with them', async () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await observedText(),
    encoding: 'utf8'
  })
  expect([status, stdout, stderr]).toEqual([0, '', ''])
})

test('say who had how much, how work failed and what is at work', async () => {
  const families = new Map(familiesOf(await observedText()).map(family => [family.name, family.samples]))
  const one = (name: string) => families.get(`wuerstchen_${name}`)
  expect(one('key_images_total')).toEqual([{ name: 'wuerstchen_key_images_total', labels: { key: 'ann' }, value: 2 }])
  for (const name of ['key_jobs_queued', 'key_jobs_running'])
    expect(one(name)).toEqual([{ name: `wuerstchen_${name}`, labels: { key: 'ann' }, value: 0 }])
  expect(one('job_failures_total')).toMatchObject([{ labels: { model: 'tiny', code: 'INTERNAL' }, value: 1 }])
  expect(one('readiness')!.filter(({ value }) => value === 1)).toMatchObject([{ labels: { status: 'ready' } }])
  expect(one('build_info')).toMatchObject([{ labels: { version: VERSION, node: process.versions.node }, value: 1 }])
  const bounds = one('job_run_seconds')!
    .map(({ labels }) => Number(labels['le']?.replace('+Inf', 'Infinity')))
    .filter(le => le >= 0)
  expect([Math.min(...bounds) <= 0.1, bounds.includes(600)]).toEqual([true, true])
  // No two neighbours between a tenth of a second and ten minutes are further apart than this.
  const within = [...new Set(bounds)].filter(le => le >= 0.1 && le <= 600)
  for (const [index, le] of within.slice(1).entries()) expect(le / within[index]!).toBeLessThanOrEqual(2.5)
})

test('with the packaged model: runs of the engine are a counter, and the version of LibTorch is known', async () => {
  const app = await createServer({ models: { tiny: tinyModel }, pipeline: { threads: 1 } })
  try {
    await app.wuerstchen.warmUp()
    const { body } = await app.inject({ url: '/metrics' })
    const families = new Map(familiesOf(body).map(family => [family.name, family]))
    expect(families.get('wuerstchen_engine_runs_total')).toMatchObject({ type: 'counter' })
    expect(families.get('wuerstchen_engine_runs_total')!.samples.length).toBeGreaterThan(0)
    expect(families.get('wuerstchen_engine_fallbacks_total')).toMatchObject({ type: 'counter' })
    const fallbacks = families
      .get('wuerstchen_engine_fallbacks_total')!
      .samples.map(({ labels, value }) => [labels['stage'], value])
    expect(fallbacks).toContainEqual(['decoder', 0])
    expect(families.get('wuerstchen_build_info')!.samples[0]!.labels['libtorch']).toMatch(/^\d+\.\d+\.\d+/)
    const requests = families.get('wuerstchen_engine_requests')!.samples
    expect(requests.map(({ labels, value }) => [labels['state'], value])).toEqual([
      ['queued', 0],
      ['running', 0]
    ])
  } finally {
    await app.close()
  }
})

test('a hundred servers that are made and closed leave the heap as it was', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heap = async () => {
    for (let round = 0; round < 3; round++) {
      collect()
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    }
    return process.memoryUsage().heapUsed
  }
  const round = async () => {
    const app = await createServer({ models: { tiny: tinyModel } })
    await app.ready()
    await app.close()
  }
  for (let index = 0; index < 20; index++) await round()
  const before = await heap()
  for (let index = 0; index < 100; index++) await round()
  // It was 100 KiB a server, linear. What is left is what V8 learns of the code.
  expect((await heap()) - before).toBeLessThan(100 * 15_000)
}, 120_000)
