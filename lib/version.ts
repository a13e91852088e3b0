import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './install/root.mjs'

const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }

/** This package's version. */
export const VERSION = manifest.version
