const EACH_MS = 10
const MOST_MS = 50

/**
 * So long a worker that runs images leaves new work to others. Images of one engine share its time, and databases tell those who
 * listen in their order: without this, the first worker takes all work for which it has room.
 */
export function courtesyMs(runningImages: number): number {
  return Math.min(EACH_MS * runningImages, MOST_MS)
}
