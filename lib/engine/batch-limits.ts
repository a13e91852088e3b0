import { kindOf } from '../load/device.js'

/** How many images may share a run. */
export interface BatchLimits {
  /** Most images, however small they are. */
  maxBatch: number
  /**
   * Most cells of embeddings (an image of 256×256 has 6×6) that a batch of more than one image may have; 0: any number.
   */
  maxBatchCells: number
}

/**
 * With guidance, eight images are the 16 rows that compiled libraries are made for (`LARGEST` of the exporter's aoti.py). More
 * run in the program, which takes longer.
 */
const MOST = 8

/**
 * A step has a part that does not depend on the size, worth some 20 cells (docs/performance.md, `node bench/batches.mjs`). With
 * 162 cells in a run, which are two images of 384×384, it is a ninth of the time with one thread and with two. In a larger run
 * each image waits for more others. More threads make the rest shorter, and not that part.
 */
const CELLS_A_THREAD = 81
const FEWEST_THREADS = 2

/** The limits of an engine: those that the user has set, which do not depend on the size, else by device and threads. */
export function batchLimits(device: string, threads: number, maxBatch?: number): BatchLimits {
  if (maxBatch !== undefined) return { maxBatch, maxBatchCells: 0 }
  const cells = CELLS_A_THREAD * Math.max(FEWEST_THREADS, threads)
  return { maxBatch: MOST, maxBatchCells: kindOf(device) === 'cpu' ? cells : 0 }
}

/** How many images of so many cells may share a run; `mostInBatch` of cpp/core/spec.h does the same. */
export function mostImages({ maxBatch, maxBatchCells }: BatchLimits, cells: number): number {
  return maxBatchCells === 0 ? maxBatch : Math.max(1, Math.min(maxBatch, Math.floor(maxBatchCells / cells)))
}
