import { spawn } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprint, readRecord, writeRecord } from '../../lib/install/fingerprint.mjs'
import { root } from '../../scripts/setup/paths.mjs'

/** The models that tests run on, below build/, with the options of scripts/models/small_model.py. */
const MODELS = {
  'small-model': ['--dtypes', 'float32', 'bfloat16', 'float16'],
  'compiled-model': ['--dtypes', 'float32', '--compile']
}

/** The files that the models are made by. */
const SOURCES = ['export.py', 'models', 'wuerstchen_export', 'requirements.txt'].map(name => join(root, 'scripts', name))

/**
 * Makes the models that are missing or were made by another exporter, side by side. If there are none, no Python is started.
 * @param {string} python
 */
export async function provideModels(python) {
  if (process.env.WUERSTCHEN_TEST_MODELS === 'keep') return
  await Promise.all(Object.entries(MODELS).map(([name, options]) => provideModel(python, join(root, 'build', name), options)))
}

/** @param {string} python @param {string} out @param {string[]} options */
async function provideModel(python, out, options) {
  const made = { fingerprint: fingerprint(root, SOURCES, options) }
  const record = join(out, 'made.json')
  if (readRecord(record)?.fingerprint === made.fingerprint) return
  // The model is made beside its place and then moved, so that tests that run at the same time never see half of it.
  const fresh = `${out}.${process.pid}`
  try {
    await makeModel(python, fresh, options)
    writeRecord(join(fresh, 'made.json'), made)
    if (existsSync(out)) renameSync(out, `${fresh}.old`)
    renameSync(fresh, out)
  } finally {
    for (const left of [fresh, `${fresh}.old`]) rmSync(left, { recursive: true, force: true })
  }
}

/** @param {string} python @param {string} out @param {string[]} options @returns {Promise<void>} */
function makeModel(python, out, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-m', 'models.small_model', '--out', out, ...options], {
      cwd: join(root, 'scripts'),
      stdio: ['ignore', 'ignore', 'pipe']
    })
    let text = ''
    child.stderr.setEncoding('utf8').on('data', chunk => {
      text += chunk
    })
    child
      .on('error', reject)
      .on('close', code =>
        code === 0 ? resolve() : reject(new Error(`The model ${out} could not be made:\n${text.slice(-4000)}`))
      )
  })
}
