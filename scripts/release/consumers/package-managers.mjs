import { cjs, dynamic, esm, imported, PROMPT, SEED } from './cell.mjs'

/** @typedef {import('./cell.mjs').Cell} Cell */

const group = 'Package manager'
const files = { 'main.mjs': esm, 'main.cjs': cjs }
/** What npm must not say: that it builds, or that a package's engines do not fit. */
const quiet =
  'npm ci --foreground-scripts --loglevel=info 2>&1 | grep -E "^npm (warn|error)|^npm info run|^gyp|^> " ; test $? = 1'
const command = `wuerstchen generate "${PROMPT}" --seed ${SEED} --output cli.png`

/** @param {string} name @param {Partial<Cell>} more @returns {Cell} */
const npm = (name, more) => ({
  name,
  group,
  files,
  steps: [
    imported,
    { does: '`npm ci` from the lock file, no script, no warning', run: `rm -rf node_modules && ${quiet}` },
    { does: '`npm ci --ignore-scripts`', run: 'rm -rf node_modules && npm ci --ignore-scripts' },
    { does: '`npx wuerstchen`', run: `npx --no-install ${command}`, picture: 'cli.png' }
  ],
  ...more
})

const workspace = {
  'app/package.json': JSON.stringify({ name: 'app', private: true, type: 'module', dependencies: { wuerstchen: '*' } }),
  'app/main.mjs': esm
}
const inWorkspace = { does: 'import in a workspace', run: 'cd app && node main.mjs', prints: /saved/, picture: 'app/esm.png' }

const yarnrc = 'npmRegistryServer: "REGISTRY"\nunsafeHttpWhitelist: ["127.0.0.1"]\nenableTelemetry: false\nnpmMinimalAgeGate: 0\n'
/** @param {string} linker @returns {Cell} */
const yarn = linker => ({
  name: `yarn 4.18.1, ${linker}`,
  group,
  tools: { '@yarnpkg/cli-dist': '4.18.1' },
  files: { ...files, 'import.cjs': dynamic, '.yarnrc.yml': `${yarnrc}nodeLinker: ${linker}\n`, 'yarn.lock': '' },
  install: ['yarn install --no-immutable'],
  steps: [
    { ...imported, run: 'yarn node main.mjs' },
    // Plug'n'Play resolves nothing for modules that a require loads (Node 20, Yarn 4.18).
    linker === 'pnp'
      ? { does: '`import()` in CommonJS', run: 'yarn node import.cjs', prints: /saved/, picture: 'cjs.png' }
      : { does: '`require`', run: 'yarn node main.cjs', prints: /saved/, picture: 'cjs.png' },
    { does: '`yarn wuerstchen`', run: `yarn ${command}`, picture: 'cli.png' },
    { does: '`yarn install --immutable`', run: 'yarn install --immutable' }
  ]
})

/** @param {string} version @param {Partial<Cell>} [more] @returns {Cell} */
const pnpm = (version, more) => ({
  name: `pnpm ${version}`,
  group,
  tools: { pnpm: version },
  files,
  install: ['pnpm install --no-frozen-lockfile'],
  steps: [
    imported,
    { does: '`require`', run: 'node main.cjs', prints: /saved/, picture: 'cjs.png' },
    { does: '`pnpm install --frozen-lockfile`', run: 'rm -rf node_modules && pnpm install --frozen-lockfile' },
    { does: '`pnpm exec wuerstchen`', run: `pnpm exec ${command}`, picture: 'cli.png' }
  ],
  ...more
})

/** @type {Cell[]} */
export const packageManagers = [
  npm('npm 10.9.9', { tools: { npm: '10.9.9' } }),
  npm('npm 11.21.2', { tools: { npm: '11.21.2' } }),
  npm('npm 12.2.2 on Node 24.22.3', { tools: { npm: '12.2.2' }, node: '24.22.3' }),
  {
    name: 'npm workspace',
    group,
    packageJson: { workspaces: ['app'] },
    files: workspace,
    steps: [inWorkspace]
  },
  pnpm('10.34.8'),
  pnpm('11.28.10', {
    node: '24.22.3',
    name: 'pnpm 11.28.10 on Node 24.22.3',
    // It takes nothing that was published today; here all of it was.
    files: { ...files, 'pnpm-workspace.yaml': 'minimumReleaseAge: 0\n' }
  }),
  pnpm('10.34.8', {
    name: 'pnpm 10.34.8 workspace',
    files: { ...workspace, 'pnpm-workspace.yaml': 'packages:\n  - app\n' },
    steps: [inWorkspace]
  }),
  yarn('node-modules'),
  yarn('pnp'),
  {
    name: 'read-only `node_modules`, another user',
    group,
    files: { 'main.mjs': esm.replaceAll('esm.png', '../out/esm.png') },
    otherUser: true,
    steps: [
      { ...imported, picture: '../out/esm.png', prints: /saved/ },
      { does: 'CLI', run: command.replace('cli.png', '../out/cli.png'), picture: '../out/cli.png' }
    ]
  },
  {
    name: 'a project that was moved',
    group,
    files,
    install: ['npm install', 'mkdir ../elsewhere && cp -r node_modules main.mjs package.json ../elsewhere && rm -r node_modules'],
    steps: [{ ...imported, run: 'cd ../elsewhere && node main.mjs', picture: '../elsewhere/esm.png' }]
  }
]
