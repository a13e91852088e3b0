/** @typedef {import('../mutations.mjs').Mutation} Mutation */

/** Files of others, and what is made of them. @type {readonly Mutation[]} */
export const FILES = [
  {
    name: 'devices-opened',
    file: 'lib/files/plain-file.ts',
    find: 'if (found.isFile()) return found',
    replace: 'if (!found.isDirectory()) return found',
    tests: ['test/integrity/hostile-files.test.ts'],
    why: 'a pipe hangs, and a device does something or has no end'
  },
  {
    name: 'change-not-seen',
    file: 'lib/files/plain-file.ts',
    find: 'if (stampOf(await this.#stat()) !== this.stamp) throw',
    replace: "if (this.stamp === '') throw",
    tests: ['test/files/plain-file.test.ts'],
    why: 'what was hashed is what runs'
  },
  {
    name: 'refused-like-missing',
    file: 'lib/files/file-fault.ts',
    find: "if (kind === 'refused') return 'OUT_OF_MEMORY'",
    replace: '',
    tests: ['test/integrity/refused-files.test.ts'],
    why: 'a model is not missing because the process has many files open'
  },
  {
    name: 'nested-json-parsed',
    file: 'lib/files/json.ts',
    find: 'if (this.#items.push(1) > this.#bounds.depth) throw',
    replace: 'if (this.#items.push(1) < 0) throw',
    tests: ['test/integrity/hostile-json.test.ts'],
    why: 'a text of some kilobytes can be nested deeper than the stack is'
  },
  {
    name: 'word-cut-too-early',
    file: 'lib/model/merges.ts',
    find: 'if (same >= this.longest) return at + 1',
    replace: 'if (same >= 1) return at + 1',
    tests: ['test/model/merges.test.ts'],
    why: 'the end of a word can change its first tokens'
  },
  {
    name: 'marks-not-sorted',
    file: 'lib/model/tokenizer.ts',
    find: 'sortLongRuns(text)',
    replace: 'text',
    tests: ['test/model/tokenizer.test.ts'],
    why: 'a text of combining marks blocks the event loop'
  },
  {
    name: 'tensors-not-held',
    file: 'lib/pipeline/run.ts',
    find: 'sliced?.rows ?? {}, held?.handles',
    replace: 'sliced?.rows ?? {}',
    tests: ['test/pipeline/texts.test.ts'],
    why: 'tensors may be disposed of as soon as a call is made, also while its texts are tokenized'
  },
  {
    name: 'library-for-another-function',
    file: 'lib/model/compiled.ts',
    find: 'if (unusable === null) checkLibraries(stage, artefact)',
    replace: '',
    tests: ['test/integrity/compiled.test.ts'],
    why: "one function's library under another one's name runs on tensors that it was not made for"
  },
  {
    name: 'offset-of-a-file-unbounded',
    file: 'lib/values/embeddings-file.ts',
    find: 'randomOffset > most',
    replace: 'randomOffset > Infinity',
    tests: ['test/integrity/hostile-json.test.ts'],
    why: 'a file of a kilobyte would have the engine draw random numbers for ever'
  }
]
