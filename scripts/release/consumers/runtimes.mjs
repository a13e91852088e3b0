import { cjs, esm, PROMPT, SEED, thread } from './cell.mjs'

/** @typedef {import('./cell.mjs').Cell} Cell */

const CLI = 'node_modules/wuerstchen/dist/cli/main.js'

/** @param {string} name @param {string} run the command that runs a file @param {Partial<Cell>} more @returns {Cell} */
const runtime = (name, run, more) => ({
  name,
  group: 'Runtime',
  files: { 'main.mjs': esm, 'main.cjs': cjs, ...thread },
  steps: [
    { does: '`import`', run: `${run} main.mjs`, prints: /saved/, picture: 'esm.png' },
    { does: '`require`', run: `${run} main.cjs`, prints: /saved/, picture: 'cjs.png' },
    { does: 'worker thread', run: `${run} threads.mjs`, prints: /saved[^]*ended with 0/, picture: 'thread.png' },
    { does: 'CLI', run: `${run} ${CLI} generate "${PROMPT}" --seed ${SEED} --output cli.png`, picture: 'cli.png' },
    {
      does: '`doctor`',
      run: `${run} ${CLI} doctor`,
      prints: new RegExp(`^${name.replace(' ', ' +').replaceAll('.', '\\.')}[, ]`, 'm')
    },
    {
      does: '`serve`, SIGTERM',
      run: `${run} ${CLI} serve --port $PORT`,
      request: { path: '/v1/images/generations', body: { prompt: PROMPT, seed: SEED, response_format: 'b64_json' } },
      picture: 'served.png'
    }
  ],
  ...more
})

/** The oldest of each line that is advertised, and the newest. */
const nodes = ['20.19.0', '20.20.2', '22.14.0', '22.23.5', '24.22.3', '26.12.1']

/** @type {Cell[]} */
export const runtimes = [
  ...nodes.map(version =>
    // npm runs on the Node that is played too: engine-strict makes it refuse what does not fit.
    runtime(`Node ${version}`, 'node', { node: version, env: { npm_config_engine_strict: 'true' } })
  ),
  runtime('Bun 1.4.5', 'bun', { tools: { '@oven/bun-linux-x64': '1.4.5' }, install: ['bun install'] }),
  runtime('Deno 2.9.6', 'deno run -A', {
    tools: { '@deno/linux-x64-glibc': '2.9.6' }, // It takes nothing that was published today; here all of it was.
    install: ['deno install --minimum-dependency-age=0']
  })
]
