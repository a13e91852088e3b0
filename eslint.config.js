import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

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
      'max-lines': ['error', { max: 300 }]
    }
  },
  {
    // A promise that nobody awaits hides its error; these two need type information.
    files: ['lib/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error'
    }
  },
  {
    // What runs on a terminal talks through console.
    files: ['scripts/**/*.mjs', 'bench/**', 'examples/**', 'test/**'],
    rules: { 'no-console': 'off' }
  }
)
