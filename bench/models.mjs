// The same weights in the form that each case takes: a checkpoint for diffusers, a model directory, one with compiled packages.
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { python, root } from './places.mjs'
import { runText } from './process.mjs'

/**
 * Makes seeded random weights for the configurations of a model directory: its own programs hold weights that the exporter has
 * folded, and a time does not depend on the values.
 * @param {string} like the model directory
 * @param {string} folder
 * @returns {Promise<{ checkpoint: string, model: string }>} directories of the checkpoint and of the model exported from it
 */
export async function makeModels(like, folder) {
  const manifest = JSON.parse(await readFile(join(like, 'wuerstchen.json'), 'utf8'))
  const [{ storage }] = manifest.stages.decoder.artefacts
  const { width, height } = manifest.defaults
  const [checkpoint, model] = [join(folder, 'checkpoint'), join(folder, 'model')]
  await runText(python, [
    '-m',
    'models.random_checkpoint',
    '--like',
    like,
    '--seed',
    '20',
    '--rounded',
    storage,
    '--out',
    checkpoint
  ])
  const name = `${manifest.name}, random weights`
  await exportCheckpoint(checkpoint, model, { name, size: `${width}x${height}`, flags: ['--storage', storage] })
  return { checkpoint, model }
}

/**
 * Exports random weights.
 * @param {string} checkpoint
 * @param {string} model the directory that is made
 * @param {{ name: string, size: string, flags: readonly string[] }} options the model's name and default size, and further flags
 */
export async function exportCheckpoint(checkpoint, model, { name, size, flags }) {
  const parts = ['--prior', join(checkpoint, 'prior'), '--decoder', join(checkpoint, 'decoder'), '--out', model]
  const facts = ['--name', name, '--license', 'MIT', '--default-size', size]
  await runText(python, [join(root, 'scripts', 'export.py'), ...parts, ...flags, ...facts])
}

/**
 * A copy of a model directory with packages compiled for this machine.
 * @param {string} model
 * @param {string} folder
 */
export async function compileModel(model, folder) {
  const compiled = join(folder, 'compiled')
  await cp(model, compiled, { recursive: true })
  await runText(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'export', '--compile', compiled, '--dtype', 'float32'])
  return compiled
}

/**
 * @param {string} model
 * @returns {Promise<{ width: number, height: number }>}
 */
export async function ownSize(model) {
  const {
    defaults: { width, height }
  } = JSON.parse(await readFile(join(model, 'wuerstchen.json'), 'utf8'))
  return { width, height }
}
