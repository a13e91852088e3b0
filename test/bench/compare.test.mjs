import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runNode } from '../support/child.js'
import { root, smallModel, withDirectory } from '../support/small-model.js'

const python = process.env.WUERSTCHEN_TEST_PYTHON ?? 'python3'

test(
  'the comparison runs each case in its own process and finds the same pictures',
  () =>
    withDirectory(async directory => {
      const [checkpoint, output] = [join(directory, 'checkpoint'), join(directory, 'results.json')]
      // The checkpoint that the small model was exported from.
      execFileSync(python, ['-m', 'models.random_checkpoint', '--config', 'small', '--seed', '20', '--out', checkpoint], {
        cwd: join(root, 'scripts'),
        stdio: 'ignore'
      })
      const { code, stdout, stderr } = await runNode(
        [
          join(root, 'bench', 'compare.mjs'),
          '--checkpoint',
          checkpoint,
          '--model',
          smallModel,
          '--cases',
          'eager,torchscript,core',
          '--sizes',
          '128x128',
          '--batch-sizes',
          '2',
          '--threads',
          '1',
          '--rounds',
          '1',
          '--runs',
          '1',
          '--warm-up',
          '0',
          '--no-sharing',
          '--output',
          output
        ],
        { env: { PYTHON: python } }
      )
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
      const {
        settings: [{ figures, problems }],
        eventLoop,
        roofline,
        machine
      } = JSON.parse(readFileSync(output, 'utf8'))
      expect(problems).toEqual({})
      for (const name of ['eager', 'torchscript', 'core']) expect(figures[name].generate.median).toBeGreaterThan(0)
      // Against the reference: rounding, by at most 1/255 in few values, as test/parity has it.
      expect(figures.torchscript.difference.max).toBeLessThanOrEqual(1)
      expect(figures.core.difference.max).toBeLessThanOrEqual(1)
      expect(figures.torchscript.cold.median).toBeGreaterThan(0)
      expect(figures.torchscript.against.eager.peak.median).toBeGreaterThan(0)
      expect(eventLoop[0].samples).toBeGreaterThan(0)
      expect(roofline.flops).toEqual([expect.any(Number)])
      expect(roofline.rate.median).toBeGreaterThan(0)
      expect(machine.python.diffusers).toBe('0.42.1')
      expect(stdout.toString()).toContain('| diffusers, eager |')
    }),
  600_000
)
