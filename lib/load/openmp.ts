/**
 * How often OpenMP's threads look at a barrier before they sleep: about half a millisecond. A step of a small model has
 * hundreds of barriers, most of them microseconds apart. On two idle cores a picture of the packaged size took 0.48 s without a
 * bound, 5 to
 * 10 % more with this one, 1.1 s when threads slept at once. But where another program wants a core, each barrier waits for
 * whoever spins there: beside one busy process it took 3.5 s with this bound, 12 s without any. docs/performance.md has the
 * figures.
 */
const SPINS = '10000'

/**
 * Bounds the spinning of OpenMP's threads, unless the user chose otherwise. Must run before LibTorch (and with it libgomp,
 * which reads the environment once) is loaded. A worker thread's environment is a copy, so there it has no effect: the variable
 * must
 * come from the process.
 */
export function boundOpenMpSpinning(environment: NodeJS.ProcessEnv = process.env): void {
  if (environment.OMP_WAIT_POLICY !== undefined || environment.GOMP_SPINCOUNT !== undefined) return
  environment.GOMP_SPINCOUNT = SPINS
}
