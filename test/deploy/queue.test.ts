import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { createProgram } from '../../lib/cli/program.js'
import { root } from '../support/small-model.js'

const folder = join(root, 'deploy', 'queue')
const textOf = (file: string) => readFileSync(join(folder, file), 'utf8')

test('every flag of the files is one of its command', () => {
  const files = readdirSync(folder).filter(file => /yaml$/.test(file))
  expect(files).toEqual(['compose.postgres.yaml', 'compose.yaml', 'scaled-object.yaml', 'worker.yaml'])
  const worker = (parse(textOf('worker.yaml')) as Deployment).spec.template.spec
  const servicesOf = (file: string) => (parse(textOf(file)) as { services: Record<string, { command: string[] }> }).services
  const [onRedis, onPostgres] = [servicesOf('compose.yaml'), servicesOf('compose.postgres.yaml')]
  for (const [command, args] of [
    ['worker', worker.containers[0]!.args],
    ['serve', onRedis['server']!.command],
    ['worker', onRedis['worker']!.command],
    ['serve', onPostgres['server']!.command],
    ['worker', onPostgres['worker']!.command]
  ] as const) {
    const known = createProgram()
      .commands.find(each => each.name() === command)!
      .options.map(({ long }) => long)
    for (const arg of args.filter(each => each.startsWith('--'))) expect(known).toContain(arg)
  }
})

test('workers are scaled by a metric that servers have, and by the name that they have', () => {
  const scaled = parse(textOf('scaled-object.yaml')) as ScaledObject
  const worker = parse(textOf('worker.yaml')) as Deployment
  expect(scaled.spec.scaleTargetRef.name).toBe(worker.metadata.name)
  const [metric] = /wuerstchen_\w+/.exec(scaled.spec.triggers[0]!.metadata.query)!
  const metrics = readFileSync(join(root, 'lib', 'server', 'observe', 'metrics.ts'), 'utf8')
  expect(metrics).toContain(`'${metric.replace('wuerstchen_', '')}'`)
  expect(scaled.spec.minReplicaCount).toBeGreaterThan(0)
})

interface Deployment {
  metadata: { name: string }
  spec: { template: { spec: { containers: { args: string[] }[] } } }
}
interface ScaledObject {
  spec: { scaleTargetRef: { name: string }; minReplicaCount: number; triggers: { metadata: { query: string } }[] }
}
