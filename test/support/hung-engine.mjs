/**
 * Runs before the command line in a child process (`--import`): the addon that it loads is the real one until the first image is
 * made. From then on its engine finishes nothing, and whoever waits for its thread waits for ever.
 */
const forever = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)

const dlopen = process.dlopen
process.dlopen = (/** @type {{ exports: any }} */ module, ...rest) => {
  dlopen.call(process, module, ...rest)
  if (!String(rest[0]).endsWith('wuerstchen.node')) return
  const real = { ...module.exports }
  let calls = 0
  /** @type {number | undefined} */
  let since
  module.exports = {
    ...real,
    submit: (/** @type {unknown[]} */ ...args) => {
      if (calls++ === 0) return real.submit(...args)
      since ??= performance.now()
      return { id: 2 ** 31, done: new Promise(() => {}) }
    },
    cancel: () => {},
    engineStats: (/** @type {unknown[]} */ ...args) => ({
      ...real.engineStats(...args),
      tasks: 0,
      threads: 1,
      doing: 'prior',
      silentMs: since === undefined ? 0 : performance.now() - since
    }),
    // What ends a process whose threads are at rest. The addon's own is for those that are not.
    exitNow: real.exitNow ?? Reflect.get(process, 'reallyExit').bind(process),
    shutdown: () => (since === undefined ? real.shutdown() : forever())
  }
}
