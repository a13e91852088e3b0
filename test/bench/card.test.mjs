import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runNode } from '../support/child.js'
import { root, withDirectory } from '../support/small-model.js'
/** @import { CardResults } from '../../bench/card.mjs' */

const python = process.env.WUERSTCHEN_TEST_PYTHON ?? 'python3'

test(
  "the model card's figure is measured, and one case that cannot run does not end the others",
  () =>
    withDirectory(async directory => {
      const [output, plot] = [join(directory, 'card.json'), join(directory, 'card.svg')]
      const { code, stdout, stderr } = await runNode(
        [
          join(root, 'bench', 'card.mjs'),
          ...['--config', 'small', '--device', 'cpu', '--work', join(directory, 'work')],
          ...['--cases', 'torchscript,eager,sdxl,aoti', '--batch-sizes', '1,2', '--runs', '1', '--warm-up', '0'],
          ...['--libraries', join(directory, 'none'), '--output', output, '--plot', plot]
        ],
        { env: { PYTHON: python } }
      )
      /** @type {CardResults} */
      const { cases, unavailable, options } = JSON.parse(readFileSync(output, 'utf8'))
      expect(Object.keys(unavailable)).toEqual(['aoti'])
      expect({ code, stderr: stderr.toString() }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('torchscript: 2 images in')
      })
      expect(options).toMatchObject({ config: 'small', dtype: 'float32', width: 128, batchSizes: [1, 2] })
      for (const name of /** @type {const} */ (['torchscript', 'eager', 'sdxl'])) {
        const batches = cases[name]?.batches ?? []
        expect(batches.map(({ batch }) => batch)).toEqual([1, 2])
        for (const { seconds } of batches) expect(seconds.median).toBeGreaterThan(0)
      }
      // The same weights and seeds: rounding, as test/parity has it.
      expect(cases.torchscript?.difference?.max).toBeLessThanOrEqual(1)
      expect(cases.sdxl?.difference).toBeUndefined()
      const svg = readFileSync(plot, 'utf8')
      for (const text of ['without torch.compile', 'Würstchen, diffusers', 'Stable Diffusion XL, diffusers', 'images a call'])
        expect(svg).toContain(text)
      expect(stdout.toString()).toContain('| Würstchen, diffusers |')
    }),
  600_000
)
