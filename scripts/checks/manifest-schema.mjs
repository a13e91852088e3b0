#!/usr/bin/env node
/** Writes docs/wuerstchen.schema.json from the schema that manifests are read with. Run it after a build. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { manifestSchema } from '../../dist/model/manifest.js'
import { packageRoot } from '../../lib/install/root.mjs'

writeFileSync(join(packageRoot, 'docs', 'wuerstchen.schema.json'), `${JSON.stringify(manifestSchema(), null, 2)}\n`)
