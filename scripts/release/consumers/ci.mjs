import { parse } from 'yaml'
import { block } from './page.mjs'
import { esm } from './cell.mjs'

/** @typedef {import('./cell.mjs').Cell} Cell */

/** What can be run here: neither the system's packages nor PyTorch's own index can be had. @param {string} command */
const ours = command => /^(npm|npx|node) /.test(command)

const github = parse(block('ci.md', 'GitHub Actions', '.github/workflows/test.yml')).jobs.test
const gitlab = parse(block('ci.md', 'GitLab', '.gitlab-ci.yml')).test
const docker = block('ci.md', 'Docker', 'Dockerfile')
  .replaceAll('\\\n', '')
  .split('\n')
  .map(line => line.replace(/^RUN (--mount=\S+ )?/, '').replace(/^CMD (\[.*\])$/, (_line, words) => JSON.parse(words).join(' ')))

/**
 * @param {string} name
 * @param {string[]} commands
 * @param {Partial<Cell>} more
 * @returns {Cell}
 */
const recipe = (name, commands, more) => ({
  name,
  group: 'CI recipe',
  packageJson: { scripts: { test: 'node main.mjs' } },
  files: { 'main.mjs': esm },
  install: ['npm install --package-lock-only'],
  steps: commands.filter(ours).map((command, index, { length }) => ({
    does: `\`${command}\``,
    run: command,
    ...(index === length - 1 && { prints: /saved/, picture: 'esm.png' })
  })),
  ...more
})

/** The set-up installs LibTorch, as on a machine that has none. @param {Record<string, string>} variables */
const withoutTorch = variables => {
  const { PIP_EXTRA_INDEX_URL: _unreachable, ...env } = variables
  return {
    ...Object.fromEntries(
      Object.entries(env).map(([key, value]) => [key, value.replace(/\$\{\{ github\.workspace \}\}|\$CI_PROJECT_DIR/, 'PROJECT')])
    ),
    WUERSTCHEN_LIBTORCH: ''
  }
}

/** @type {Cell[]} */
export const ci = [
  recipe(
    'GitHub Actions',
    github.steps.map((/** @type {{ run?: string }} */ { run }) => run ?? ''),
    { env: withoutTorch(github.env) }
  ),
  recipe('GitLab', [...gitlab.before_script, ...gitlab.script], { env: withoutTorch(gitlab.variables) }),
  recipe('Docker', docker, {})
]
