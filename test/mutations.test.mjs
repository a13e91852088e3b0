import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot as root } from '../lib/install/root.mjs'
import { applied, MUTATIONS, sourceOf } from './mutations.mjs'

test('every mutation still fits the code and names tests that are there', () => {
  for (const mutation of MUTATIONS) {
    expect(applied(mutation, sourceOf(root, mutation))).not.toBe(sourceOf(root, mutation))
    for (const file of mutation.tests)
      expect(file === 'core_tests' || existsSync(join(root, file)), `${mutation.name}: ${file}`).toBe(true)
  }
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length)
})
