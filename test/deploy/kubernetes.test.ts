import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { LIMIT_NAMES } from '../../lib/server/limits.js'
import { isOnPath } from '../support/programs.mjs'
import { root } from '../support/small-model.js'

const folder = join(root, 'deploy', 'kubernetes')
const files = readdirSync(folder).sort()
const object = (file: string) => parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>

interface Probe {
  httpGet: { path: string; port: string }
  periodSeconds: number
  timeoutSeconds: number
  failureThreshold?: number
}
interface Deployment {
  spec: {
    replicas: number
    selector: { matchLabels: object }
    template: {
      metadata: { labels: object }
      spec: {
        enableServiceLinks: boolean
        automountServiceAccountToken: boolean
        terminationGracePeriodSeconds: number
        securityContext: object
        containers: [
          {
            args: string[]
            ports: { name: string; containerPort: number }[]
            resources: { limits: { cpu: string; memory: string } }
            securityContext: object
            startupProbe: Probe
            readinessProbe: Probe
            livenessProbe: Probe
            lifecycle: { preStop: { exec: { command: [string, string] } } }
            volumeMounts: { name: string; readOnly: boolean }[]
          }
        ]
        volumes: { name: string }[]
      }
    }
  }
}

const { spec } = object('deployment.yaml') as unknown as Deployment
const pod = spec.template.spec
const [server] = pod.containers
const flag = (name: string) => server.args[server.args.indexOf(name) + 1]

test('every file is an object of a version that Kubernetes has', () => {
  expect(files.map(file => [object(file)['apiVersion'], object(file)['kind']])).toEqual([
    ['apps/v1', 'Deployment'],
    ['policy/v1', 'PodDisruptionBudget'],
    ['v1', 'Service']
  ])
})

// pip install kubernetes-validate, which brings the schemas of Kubernetes.
test.skipIf(!isOnPath('kubernetes-validate')).each(files)('%s fits the schema of Kubernetes, without any other field', file => {
  const { status, stdout, stderr } = spawnSync('kubernetes-validate', ['--strict', join(folder, file)], { encoding: 'utf8' })
  expect(status, stdout + stderr).toBe(0)
})

describe('the deployment', () => {
  test('is what the service and the budget select', () => {
    const labels = { 'app.kubernetes.io/name': 'wuerstchen' }
    expect([spec.selector.matchLabels, spec.template.metadata.labels]).toEqual([labels, labels])
    expect(object('service.yaml')).toMatchObject({ spec: { selector: labels } })
    expect(object('disruption-budget.yaml')).toMatchObject({ spec: { selector: { matchLabels: labels }, maxUnavailable: 1 } })
    expect(spec.replicas).toBeGreaterThan(1)
  })

  test('gives a server more time to end than it gives its work', () => {
    const before = Number(server.lifecycle.preStop.exec.command[1])
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(Number(flag('--grace-seconds')) + before + 10)
  })

  test('has no variables of services, no token, no rights and nothing to write to', () => {
    expect([pod.enableServiceLinks, pod.automountServiceAccountToken]).toEqual([false, false])
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(server.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    })
    expect(server.volumeMounts.every(({ readOnly }) => readOnly)).toBe(true)
    expect(server.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name))
  })

  test('probes what the server has, on a port that it names', () => {
    const ports = server.ports.map(({ name }) => name)
    for (const [probe, path] of [
      [server.startupProbe, '/readyz'],
      [server.readinessProbe, '/readyz'],
      [server.livenessProbe, '/livez']
    ] as const) {
      expect(probe.httpGet.path).toBe(path)
      expect(ports).toContain(probe.httpGet.port)
      expect(probe.timeoutSeconds).toBeLessThanOrEqual(probe.periodSeconds)
    }
    expect(object('service.yaml')).toMatchObject({ spec: { ports: [{ targetPort: ports[0] }] } })
  })

  test('has as many threads as cores, and flags that serve has', () => {
    expect(flag('--threads')).toBe(server.resources.limits.cpu)
    const limits = LIMIT_NAMES.map(name => `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`)
    const known = ['--model', '--api-keys-file', '--grace-seconds', '--threads', ...limits]
    expect(server.args.filter(arg => arg.startsWith('--') && !known.includes(arg))).toEqual([])
  })
})
