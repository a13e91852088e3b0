import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withSection } from '../../bench/markdown.mjs'
import { runNode } from '../support/child.js'
import { describeWithRedis } from '../support/queues.js'
import { root } from '../support/small-model.js'

interface Found {
  targets: { name: string; seen: string; met: boolean }[]
  figures: Record<string, unknown>
}

const script = join(root, 'bench', 'scale.mjs')
const run = async (mode: string): Promise<Found> => {
  const { stdout, stderr } = await runNode([script, mode, '--short', '--json'], {})
  return JSON.parse(stdout.toString() || JSON.stringify(stderr)) as Found
}
const missed = ({ targets }: Found) => targets.flatMap(({ name, seen, met }) => (met ? [] : [`${name}: ${seen}`]))

describeWithRedis('real servers and workers', () => {
  test('nothing fails while workers are replaced by ones with another version of the model', async () => {
    const found = await run('--upgrade')
    expect(missed(found)).toEqual([])
    expect(found.figures['count']).toBeGreaterThan(0)
  })

  test('an outage of the queue is said with 503, and loses nothing', async () => {
    const found = await run('--outage')
    // How soon something is said is measured on an idle machine.
    expect(missed(found).filter(each => !each.startsWith('answers within'))).toEqual([])
    const { answers, over } = found.figures as { answers: unknown[]; over: string[] }
    expect(answers.length).toBeGreaterThan(0)
    expect(over).toEqual(['done', 'done', 'done', 'done'])
  })

  test('the end of the power loses nothing that was accepted, where Redis writes always', async () => {
    const found = await run('--power')
    expect(missed(found)).toEqual([])
    const { always } = found.figures as { always: { accepted: number }[] }
    expect(always[0]!.accepted).toBeGreaterThan(0)
  })
})

test('each mode has its section in the docs', async () => {
  const { code, stderr } = await runNode([script], {})
  expect(code).toBe(2)
  const page = readFileSync(join(root, 'docs', 'scale.md'), 'utf8')
  const modes = [...stderr.matchAll(/--(\w+)(?= \||\s*\[--short)/g)].map(([, mode]) => mode)
  expect(modes).toEqual(['overhead', 'workers', 'fairness', 'upgrade', 'outage', 'cancel', 'power'])
  for (const mode of modes)
    expect(withSection(page, `scale ${mode}`, 'x')).toContain(`<!-- scale ${mode} -->\n\nx\n\n<!-- end of scale ${mode} -->`)
  expect(() => withSection(page, 'scale nothing', 'x')).toThrow('Expected the marks <!-- scale nothing -->')
})
