/** What the tables of calls consist of. */

/** @typedef {any} Any */

/**
 * What calls are made on. It is made anew where a call has disposed of it.
 * @typedef {object} World
 * @property {import('../../../dist/index.js').Pipeline} pipeline
 * @property {import('../../../dist/index.js').Stage} stage
 * @property {import('../../../dist/index.js').Tensor} tensor
 * @property {import('../../../dist/index.js').Tensor} latents
 * @property {import('../../../dist/index.js').Embeddings} embeddings
 * @property {import('../../../dist/index.js').GeneratedImage} image
 * @property {Buffer} embeddingsFile
 * @property {Any} native
 * @property {Any} engineHandle
 * @property {Any} stageHandle
 * @property {Any} tensorHandle
 * @property {Any} latentsHandle
 * @property {Record<string, Any>} gone handles and values that have been disposed of
 */

/**
 * A function: `self` has it as `method`; `args` are such that it works. `binding`: of the addon, where a plain TypeError is
 * allowed. `kind`: `construct` calls with new, `get` reads a property.
 * @typedef {object} Call
 * @property {(world: World) => Any} self
 * @property {string | symbol} method
 * @property {(world: World) => Any[]} args
 * @property {boolean} [binding]
 * @property {'construct' | 'get'} [kind]
 * @property {number} [weight]
 * @property {boolean} [last] the process is not fit for another case
 */

export {}
