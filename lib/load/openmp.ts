/**
 * How often OpenMP's threads look at a barrier before they sleep: about half a millisecond. A step of a small model has hundreds
 * of barriers, most of them microseconds apart. On two idle cores, an image of the packaged size took 0.48 s without a bound, 5
 * to 10 % more with this one, and 1.1 s when threads slept at once. But if another program wants a core, a thread that spins
 * delays the thread that all others wait for: beside one busy process an image took 12 s without a bound. docs/performance.md has
 * the figures.
 */
const SPINS = '10000'

/**
 * Bounds the spinning of OpenMP's threads, unless the user has set it. Must run before LibTorch is loaded, and with it libgomp,
 * which reads the environment once. It has no effect in a worker thread, whose environment is a copy: there the variable must
 * come from the process.
 */
export function boundOpenMpSpinning(environment: NodeJS.ProcessEnv = process.env): void {
  if (environment.OMP_WAIT_POLICY !== undefined || environment.GOMP_SPINCOUNT !== undefined) return
  environment.GOMP_SPINCOUNT = SPINS
}
