import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/small-model.js'

const lines = (file: string) => readFileSync(join(root, file), 'utf8').split('\n')
const rules = lines('.dockerignore').filter(line => line !== '' && !line.startsWith('#'))
const sent = rules.filter(rule => rule.startsWith('!')).map(rule => rule.slice(1))

test('the build of the image is sent what it copies, and no models, keys or notes that lie beside it', () => {
  expect(rules[0]).toBe('*')
  const copied = lines('Dockerfile')
    .filter(line => line.startsWith('COPY ') && !line.includes('--from'))
    .flatMap(line => line.split(' ').slice(1, -1))
    .filter(source => source !== '.')
  expect(copied).toContain('package.json')
  for (const source of copied) {
    expect(existsSync(join(root, source))).toBe(true)
    expect(sent.some(name => source === name || source.startsWith(`${name}/`))).toBe(true)
  }
  expect(sent.filter(name => name.startsWith('models'))).toEqual(['models/tiny'])
  // The libraries that come with it too.
  expect(rules.filter(rule => rule.startsWith('models'))).toEqual([])
})

test('the image runs as a number, which runAsNonRoot needs, and as the one of the Deployments', () => {
  const [user] = lines('Dockerfile').flatMap(line => /^USER (.*)$/.exec(line)?.[1] ?? [])
  expect(user).toMatch(/^[1-9]\d*$/)
  expect(lines('Dockerfile').some(line => line.includes(`--uid ${user} `))).toBe(true)
  for (const file of ['deploy/kubernetes/deployment.yaml', 'deploy/queue/worker.yaml'])
    expect(readFileSync(join(root, file), 'utf8')).toContain(`runAsUser: ${user}\n`)
})

test('every build argument is documented', () => {
  const names = lines('Dockerfile').flatMap(line => /^ARG (\w+)/.exec(line)?.[1] ?? [])
  expect(names).toContain('PIP_INDEX_URL')
  const page = readFileSync(join(root, 'docs', 'deploy.md'), 'utf8')
  for (const name of names) expect(page).toContain(`\`${name}\``)
})

test('the image has the packages of a queue and its files, as they are tested', () => {
  const { devDependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    'devDependencies' | 'peerDependencies',
    Record<string, string>
  >
  const [installed] = lines('Dockerfile').flatMap(
    line => /npm install --no-save .*--ignore-scripts (.*) \\$/.exec(line)?.[1] ?? []
  )
  expect(installed?.split(' ').sort()).toEqual(
    // Traces are for applications that have an SDK of OpenTelemetry.
    Object.keys(peerDependencies)
      .filter(name => !name.startsWith('@opentelemetry/'))
      .map(name => `${name}@${devDependencies[name]}`)
      .sort()
  )
})
