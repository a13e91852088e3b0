import { defineConfig } from 'eslint/config'
import { createNodeResolver, importX } from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

/**
 * The layers of lib/, lowest first. A file imports from its own layer and from those before it: never upwards, for types neither.
 * docs/architecture.md says what each layer is for.
 */
const LAYERS = [
  ['errors.ts', 'dtypes.ts', 'native.ts', 'tensor-spec.ts', 'timings.ts', 'version.ts', 'install', 'options', 'files'],
  ['load'],
  ['model'],
  ['image'],
  ['values'],
  ['engine'],
  ['plan'],
  ['pipeline'],
  ['index.ts', 'internal.ts'],
  ['doctor'],
  ['bench'],
  ['server'],
  ['cli']
]

/** Programs use the public API, the list of internal.ts, the foundations and themselves. */
const PROGRAMS = ['bench', 'server', 'cli']
const LIBRARY = LAYERS.slice(1, 8).flat()

/** @param {string} name */
const inLib = name => `./lib/${name}`
const zones = [
  ...LAYERS.map((names, index) => ({
    target: names.map(inLib),
    from: LAYERS.slice(index + 1)
      .flat()
      .map(inLib),
    message: 'This import goes up. See LAYERS in eslint.config.js.'
  })),
  {
    target: PROGRAMS.map(inLib),
    from: LIBRARY.map(inLib),
    message: 'Programs import from lib/index.ts, or from lib/internal.ts, which lists what they use beside the public API.'
  },
  { target: './lib/server', from: './lib/bench', message: 'Programs do not know each other.' },
  // Doctor must work where sharp cannot be loaded.
  {
    target: './lib/doctor',
    from: ['image', 'values', 'plan', 'pipeline', 'index.ts', 'internal.ts'].map(inLib),
    message: 'This loads sharp.'
  }
].filter(({ from }) => from.length > 0)

/** Few rules, each of which has caught a real mistake somewhere; the compiler does the rest. */
export default defineConfig(
  { ignores: ['dist/', 'build/', 'node_modules/', '.venv/', 'coverage/'] },
  {
    files: ['**/*.ts', '**/*.mjs', '**/*.js'],
    extends: [tseslint.configs.base],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['error'] }],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-unsafe-finally': 'error',
      'no-self-compare': 'error',
      'require-atomic-updates': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      'max-lines': ['error', { max: 300 }],
      // biome breaks code; it leaves comments and texts as they are. A text in a template may be as long as it is.
      'max-len': [
        'error',
        { code: 130, ignoreTemplateLiterals: true, ignoreStrings: true, ignoreRegExpLiterals: true, ignoreUrls: true }
      ]
    }
  },
  {
    // A promise that nobody awaits hides its error; these need type information.
    files: ['lib/**/*.ts'],
    plugins: { 'import-x': importX },
    settings: {
      ...importX.flatConfigs.typescript.settings,
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.mjs'], extensionAlias: { '.js': ['.ts', '.js'] } })]
    },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'BinaryExpression[operator="instanceof"][right.name="WuerstchenError"]',
          message: 'Ask WuerstchenError.is(error, code): instanceof does not know the errors of another copy of this package.'
        },
        {
          selector: 'NewExpression[callee.name="WuerstchenError"][arguments.length<3]',
          message: 'Say what the error is about: { subject }, null where it is about nothing.'
        },
        {
          selector: 'CallExpression[callee.name=/^(writeFile|appendFile|createWriteStream)(Sync)?$/]',
          message: 'Files are written by writeWhole (lib/files/write-file.ts).'
        },
        {
          selector: 'SwitchStatement[discriminant.property.name="message"]',
          message: 'A message is for people. Facts are in code and subject.'
        },
        {
          selector:
            'CallExpression[callee.property.name=/^(startsWith|endsWith|includes|match|search|indexOf)$/][callee.object.name="message"]',
          message: 'A message is for people. Facts are in code and subject.'
        },
        {
          selector:
            'CallExpression[callee.property.name=/^(startsWith|endsWith|includes|match|search|indexOf)$/][callee.object.property.name="message"]',
          message: 'A message is for people. Facts are in code and subject.'
        },
        {
          selector: 'CallExpression[callee.property.name=/^(exec|test)$/][arguments.0.property.name="message"]',
          message: 'A message is for people. Facts are in code and subject.'
        },
        {
          selector: 'BinaryExpression[operator=/^[!=]==?$/] > MemberExpression[property.name="message"]',
          message: 'A message is for people. Facts are in code and subject.'
        }
      ]
    }
  },
  {
    // Of install/, which set-up runs before anything is compiled.
    files: ['lib/**/*.mjs'],
    plugins: { 'import-x': importX },
    rules: { 'import-x/no-restricted-paths': ['error', { zones }] }
  },
  {
    files: ['lib/server/**/*.ts'],
    ignores: ['lib/server/http/**', 'lib/server/index.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^(fastify|@fastify/.*)$', message: 'lib/server/http is all of Fastify.' }] }
      ]
    }
  },
  {
    // A test file is a list of cases.
    files: ['test/**'],
    rules: { 'max-lines': ['error', { max: 420 }] }
  },
  {
    // What runs on a terminal talks through console.
    files: ['scripts/**/*.mjs', 'bench/**', 'examples/**', 'test/**'],
    rules: { 'no-console': 'off' }
  }
)
