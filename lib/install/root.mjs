import { fileURLToPath } from 'node:url'

/**
 * The folder of this package: a clone of the repository, or `node_modules/wuerstchen`. It is two folders up from `lib/install`
 * and from `dist/install` alike.
 */
export const packageRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
