/** @typedef {import('../mutations.mjs').Mutation} Mutation */

/** Which programs and devices are chosen, and how many images share a run. @type {readonly Mutation[]} */
export const PLACEMENT = [
  {
    name: 'library-of-a-newer-gpu',
    file: 'lib/model/gpu.ts',
    find: 'minor <= ownMinor',
    replace: 'minor >= ownMinor',
    tests: ['test/model/gpu.test.ts', 'test/pipeline/gpu-libraries.test.ts'],
    why: 'machine code of a newer minor architecture does not run on an older one'
  },
  {
    name: 'gpu-chosen-for-unverified-libraries',
    file: 'lib/engine/placement.ts',
    find: "artefact.device === 'cuda' && isVerified(artefact)",
    replace: "artefact.device === 'cuda'",
    tests: ['test/pipeline/gpu-libraries.test.ts'],
    why: 'who asks for no GPU gets one only for what has run on one'
  },
  {
    name: 'given-batch-by-size',
    file: 'lib/engine/batch-limits.ts',
    find: 'return { maxBatch, maxBatchCells: 0 }',
    replace: 'return { maxBatch, maxBatchCells: CELLS_A_THREAD * threads }',
    tests: ['test/pipeline/batch-limits.test.ts'],
    why: 'the maxBatch that a user gives holds for every size'
  }
]
