// The weights of a figure, in the form that each case takes: a checkpoint for diffusers, a model directory, libraries for it.
import { cp, link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { python, root } from '../places.mjs'
import { exportCheckpoint } from '../models.mjs'
import { runText } from '../process.mjs'

/** @typedef {{ config: string, device: string, dtype: string, size: string }} Choices */
/** @typedef {{ stage: string, program: { file: string, sha256: string }, libraries: object, device: string }} Entry */
/** @typedef {{ file: string, sha256: string, dtype: string, device: string }} Program */

const COMPONENTS = ['prior', 'prior_text_encoder', 'decoder', 'decoder_text_encoder', 'vqgan']
const NETWORKS = ['prior', 'decoder', 'vqDecoder']

/**
 * Random weights, drawn on the device: a CPU takes seconds for each thousand million.
 * @param {string} work
 * @param {Choices} choices
 */
export async function makeCheckpoint(work, { config, device, dtype }) {
  const checkpoint = join(work, 'checkpoint')
  const rounded = ['--rounded', dtype, '--stored', dtype, '--device', device]
  const command = [
    '-m',
    'models.random_checkpoint',
    '--config',
    config,
    ...rounded,
    '--out',
    checkpoint,
    '--stages',
    ...COMPONENTS
  ]
  if (!existsSync(join(checkpoint, 'decoder', 'model_index.json'))) await runText(python, command)
  return checkpoint
}

/**
 * @param {string} work
 * @param {string} checkpoint
 * @param {Choices} choices
 */
export async function makeModel(work, checkpoint, { device, dtype, size }) {
  const model = join(work, 'model')
  if (existsSync(join(model, 'wuerstchen.json'))) return model
  await exportCheckpoint(checkpoint, model, { name: 'random weights', size, flags: ['--device', device, '--dtype', dtype] })
  return model
}

/**
 * The same model with libraries for all networks: those of another model of the same configuration, or new ones. Loading compares
 * each with its program.
 * @param {string} model
 * @param {string | undefined} other a model directory with libraries
 * @param {Choices} choices
 */
export async function withLibraries(model, other, { device, dtype }) {
  const compiled = `${model}-compiled`
  if (existsSync(join(compiled, 'compiled', 'compiled.json'))) return compiled
  await rm(compiled, { recursive: true, force: true })
  await mkdir(compiled)
  for (const file of await readdir(model)) await link(join(model, file), join(compiled, file))
  if (other === undefined) await compile(compiled, device, dtype)
  else await adoptLibraries(compiled, other, device)
  return compiled
}

/** @param {string} model @param {string} device @param {string} dtype */
async function compile(model, device, dtype) {
  await runText(python, [
    join(root, 'scripts', 'export.py'),
    '--compile',
    model,
    '--device',
    device,
    '--dtype',
    dtype,
    '--stages',
    ...NETWORKS
  ])
}

/**
 * Takes libraries over for the programs of the same stage and dtype. A library has no weights, so it fits any program of the same
 * network.
 * @param {string} model
 * @param {string} other
 * @param {string} device
 */
async function adoptLibraries(model, other, device) {
  /** @type {{ artefacts: Entry[] }} */
  const index = JSON.parse(await readFile(join(other, 'compiled', 'compiled.json'), 'utf8'))
  const [theirs, ours] = [await programsOf(other), await programsOf(model)]
  const artefacts = index.artefacts.flatMap(entry => {
    const made = theirs[entry.stage]?.find(({ file }) => file === entry.program.file)
    const same = ours[entry.stage]?.filter(({ dtype }) => dtype === made?.dtype) ?? []
    const program = same.find(each => each.device === device) ?? same[0]
    return entry.device !== device || program === undefined
      ? []
      : [{ ...entry, program: { file: program.file, sha256: program.sha256 } }]
  })
  if (artefacts.length === 0) throw new Error(`Expected libraries for ${device} in ${other} but it has none`)
  await mkdir(join(model, 'compiled'), { recursive: true })
  await cp(join(other, 'compiled'), join(model, 'compiled'), { recursive: true })
  await writeFile(join(model, 'compiled', 'compiled.json'), JSON.stringify({ ...index, artefacts }))
}

/** @param {string} model @returns {Promise<Record<string, Program[]>>} */
async function programsOf(model) {
  /** @type {{ stages: Record<string, { artefacts: Program[] }> }} */
  const { stages } = JSON.parse(await readFile(join(model, 'wuerstchen.json'), 'utf8'))
  return Object.fromEntries(Object.entries(stages).map(([stage, { artefacts }]) => [stage, artefacts]))
}
