import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../setup/paths.mjs'
import { block, commands } from './page.mjs'
import { cjs, esm, PROMPT, SEED } from './cell.mjs'

/** @typedef {import('./cell.mjs').Cell} Cell */

const group = 'Bundler and framework'
const files = { 'main.mjs': esm, 'main.cjs': cjs }

/**
 * A bundle is run where its input is no longer.
 * @param {string} does @param {string} build @param {string} bundle @returns {import('./cell.mjs').Step}
 */
const bundled = (does, build, bundle) => ({
  does,
  run: `${build} && mkdir -p moved && mv ${bundle} moved/ && rm -f esm.png && node moved/${bundle.replace(/.*\//, '')}`,
  prints: /saved/,
  picture: 'esm.png'
})

const esbuild = commands('frameworks.md', 'esbuild')
const [one = ''] = commands('frameworks.md', 'esbuild', 'one package outside')
const whole = commands('frameworks.md', 'esbuild', 'code in the bundle')
const [vite = ''] = commands('frameworks.md', 'Vite')
const webpackConfig = block('frameworks.md', 'webpack', 'webpack.config.mjs')
const webpackCommonjs = webpackConfig
  .split('\n')
  .filter(line => !/outputModule|module: true/.test(line))
  .join('\n')
  .replace("'module wuerstchen'", "'commonjs wuerstchen'")
  .replace("entry: './main.mjs',", "entry: './main.mjs', output: { filename: 'bundle.cjs' },")

const nextConfig = block('frameworks.md', 'Next.js', 'next.config.mjs')
const request = { path: '/api/images', body: { prompt: PROMPT, seed: SEED } }
/** @param {string} bundler @param {string} flag @returns {Cell} */
const next = (bundler, flag) => ({
  name: `Next.js 16.4.6, ${bundler}`,
  group,
  needs: 'for `standalone`: `serverExternalPackages`, `outputFileTracingIncludes`',
  dependencies: {
    next: '16.4.6',
    react: '19.3.1',
    'react-dom': '19.3.1',
    typescript: '5.9.3',
    '@types/react': '19.3.1',
    '@types/node': '20.19.43'
  },
  files: {
    'next.config.mjs': nextConfig,
    'app/api/images/route.ts': readFileSync(join(root, 'examples', 'next-route.ts'), 'utf8'),
    'app/layout.tsx': 'export default ({ children }: { children: React.ReactNode }) => <html><body>{children}</body></html>\n',
    'app/page.tsx': 'export default () => <p>images</p>\n'
  },
  steps: [
    { does: 'development route', run: `next dev ${flag} --port $PORT`, request, picture: 'dev.png' },
    { does: '`next build`', run: `next build ${flag}` },
    { does: '`next start`', run: 'node node_modules/next/dist/bin/next start --port $PORT', request, picture: 'start.png' },
    {
      does: 'standalone, elsewhere',
      run: 'sh -c "mv .next/standalone ../alone && cd ../alone && exec node server.js"',
      request,
      picture: 'alone.png'
    }
  ]
})

/** @param {string} bundler @param {string} flag @returns {Cell} */
const unconfigured = (bundler, flag) => {
  const cell = next(bundler, flag)
  return {
    ...cell,
    name: `${cell.name}, no configuration`,
    needs: 'nothing',
    files: { ...cell.files, 'next.config.mjs': 'export default {}\n' },
    steps: cell.steps.slice(0, 3)
  }
}

/** @type {Cell[]} */
export const bundlers = [
  {
    name: 'esbuild 0.28.2',
    group,
    needs: '`--packages=external`',
    dependencies: { esbuild: '0.28.2' },
    files,
    steps: [
      bundled('ES module', esbuild[0] ?? '', 'bundle.mjs'),
      bundled('CommonJS', esbuild[1] ?? '', 'bundle.cjs'),
      bundled('all but this package', one, 'one.mjs'),
      bundled('ES module with the code', whole[0] ?? '', 'whole.mjs'),
      bundled('CommonJS with the code', whole[1] ?? '', 'whole.cjs')
    ]
  },
  {
    name: 'webpack 5.113.0',
    group,
    needs: '`externals`',
    dependencies: { webpack: '5.113.0', 'webpack-cli': '7.3.1' },
    files: { ...files, 'webpack.config.mjs': webpackConfig, 'commonjs.config.mjs': webpackCommonjs },
    steps: [
      bundled('ES module', 'webpack', 'dist/bundle.mjs'),
      bundled('CommonJS', 'webpack --config commonjs.config.mjs', 'dist/bundle.cjs')
    ]
  },
  {
    name: 'Vite 8.4.0, SSR',
    group,
    dependencies: { vite: '8.4.0' },
    files: { ...files, 'whole.config.mjs': block('frameworks.md', 'Vite', 'vite.config.mjs') },
    steps: [
      bundled('packages outside', vite, 'out/main.mjs'),
      bundled('all but this package', `${vite} --config whole.config.mjs`, 'out/main.mjs')
    ]
  },
  {
    name: 'Rollup 4.68.8',
    group,
    needs: '`--external=wuerstchen`',
    dependencies: { rollup: '4.68.8' },
    files,
    steps: [bundled('ES module', commands('frameworks.md', 'Rollup')[0] ?? '', 'bundle.mjs')]
  },
  next('Turbopack', '--turbopack'),
  next('webpack', '--webpack'),
  unconfigured('Turbopack', '--turbopack'),
  unconfigured('webpack', '--webpack')
]
