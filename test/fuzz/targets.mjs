/**
 * What scripts/checks/fuzz.mjs feeds: each target takes bytes, as a file or a request could bring them, and gives what a call
 * made of them. An error that is not typed is a fault of the target, and so is a process that ends.
 */
import { createHash } from 'node:crypto'
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Embeddings, Pipeline, Stage, Tensor } from '../../dist/index.js'
import { packageRoot as root } from '../../lib/install/root.mjs'

/** Texts that a format knows, for the mutator. @typedef {readonly string[]} Words */

/**
 * @typedef {object} Target
 * @property {Words} words
 * @property {(bytes: Buffer) => Buffer} [fresh] makes a file of the corpus fit the models of this checkout
 * @property {(bytes: Buffer, context: Context) => Promise<void>} run
 */
/** @typedef {{ folder: string, pipeline: import('../../dist/index.js').Pipeline }} Context */

export const SMALL = join(root, 'build', 'small-model')
const COMPILED = join(root, 'build', 'compiled-model')
const QUICK = { prompt: 'a cat', width: 128, height: 128, priorSteps: 1, decoderSteps: 1, seed: 1 }
/** Options may ask for hours. */
const signal = () => AbortSignal.timeout(1000)

/** Sizes and hashes of the files as they are here, so that a model made anew is still the corpus's. @param {string} model */
const refreshed = model => (/** @type {Buffer} */ bytes) => {
  const visit = (/** @type {any} */ value) => {
    if (value === null || typeof value !== 'object') return
    const file = typeof value.file === 'string' ? join(model, value.file) : ''
    if (value.sha256 !== undefined && existsSync(file)) {
      const found = readFileSync(file)
      value.sha256 = createHash('sha256').update(found).digest('hex')
      if (value.size !== undefined) value.size = found.length
    }
    Object.values(value).forEach(visit)
  }
  const json = JSON.parse(bytes.toString())
  visit(json)
  return Buffer.from(JSON.stringify(json))
}

/**
 * The model with one file of other bytes, loaded and used.
 * @param {string} model
 * @param {string} folder
 * @param {string} name
 * @param {Buffer} bytes
 */
async function useModel(model, folder, name, bytes) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'compiled'), { recursive: true })
  for (const file of readdirSync(model)) {
    if (!/\.(pt|json)$/.test(file) || /float16/.test(file)) continue
    try {
      linkSync(join(model, file), join(folder, file))
    } catch {
      cpSync(join(model, file), join(folder, file)) // another file system
    }
  }
  const libraries = join(model, 'compiled')
  if (existsSync(libraries)) cpSync(libraries, join(folder, 'compiled'), { recursive: true })
  rmSync(join(folder, name), { force: true })
  writeFileSync(join(folder, name), bytes)
  const pipeline = await Pipeline.load(folder, { threads: 1, dtype: 'float32' })
  try {
    await pipeline.generate({ ...QUICK, signal: signal() })
  } finally {
    await pipeline.dispose()
  }
}

/** @type {Readonly<Record<string, Target>>} */
export const TARGETS = {
  manifest: {
    words: ['null', '-1', '[]', '{}', '"x"', '1e999', '"stages":', '"file":"../x"', '"functions":{}', '\ud800'],
    fresh: refreshed(SMALL),
    run: (bytes, { folder }) => useModel(SMALL, folder, 'wuerstchen.json', bytes)
  },
  libraries: {
    words: ['null', '-1', '[]', '"limits":{}', '"batch":{"least":1,"most":1,"multipleOf":1}', '"stage":"prior"', '"isa":null'],
    fresh: refreshed(COMPILED),
    run: (bytes, { folder }) => useModel(COMPILED, folder, 'compiled/compiled.json', bytes)
  },
  embeddings: {
    words: [
      '"F32"',
      '"F16"',
      '"shape":[1,16,3,3]',
      '"data_offsets":[0,576]',
      '"randomOffset":9007199254740991',
      '__metadata__',
      'embeddings'
    ],
    async run(bytes, { pipeline }) {
      const embeddings = await Embeddings.load(bytes)
      try {
        await pipeline.decode(embeddings, { decoderSteps: 1, signal: signal() })
        await Embeddings.load(await embeddings.toBuffer()).then(each => each.dispose())
      } finally {
        embeddings.dispose()
      }
    }
  },
  program: {
    words: ['def forward(self', 'torch.mm', 'Tensor', 'ops.prim', '\u0080\u0002', 'PK\u0003\u0004', '__torch__.'],
    async run(bytes, { folder }) {
      mkdirSync(folder, { recursive: true })
      const file = join(folder, 'program.pt')
      writeFileSync(file, bytes)
      const tensor = (/** @type {string} */ name, /** @type {number} */ channels) => ({
        name,
        dtype: /** @type {const} */ ('float32'),
        shape: ['batch', channels, 'height', 'width']
      })
      const functions = { forward: { inputs: [tensor('latents', 4)], outputs: [tensor('image', 3)] } }
      const stage = await Stage.load(file, { threads: 1, functions })
      const latents = Tensor.from(new Float32Array(256), [1, 4, 8, 8])
      try {
        for (const output of await stage.run([latents])) output.dispose()
      } finally {
        latents.dispose()
        await stage.dispose()
      }
    }
  },
  options: {
    words: ['null', '-1', '[]', '"seeds":[1]', '"previews":3', '"priorTimesteps":[1,0]', '1e-9', '"prompt":["a"]', '4096'],
    async run(bytes, { pipeline }) {
      const options = JSON.parse(bytes.toString())
      const given =
        options !== null && typeof options === 'object' && !Array.isArray(options) ? { ...options, signal: signal() } : options
      await pipeline.generate(given)
    }
  }
}
