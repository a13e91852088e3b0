import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { manifestSchema } from '../../lib/model/manifest.js'
import { root } from '../support/small-model.js'

test("docs/wuerstchen.schema.json is made from the manifest's schema; scripts/checks/manifest-schema.mjs writes it", () => {
  expect(JSON.parse(readFileSync(join(root, 'docs', 'wuerstchen.schema.json'), 'utf8'))).toEqual(manifestSchema())
})
