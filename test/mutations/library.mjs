/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const CANCEL = 'test/lifecycle/cancel.test.ts'
const TENSOR = 'test/values/tensor.test.ts'
const MISUSE = 'test/integrity/misuse.test.ts'
const DIRECTORY = 'test/integrity/model-directory.test.ts'
const COMPILED = 'test/integrity/compiled.test.ts'
const DEVICES = 'test/pipeline/devices.test.ts'
const GENERATE = 'test/pipeline/generate.test.ts'

/** Values, plans, files. @type {readonly Mutation[]} */
export const VALUES = [
  {
    name: 'bundle-finds-nothing',
    file: 'lib/install/root.mjs',
    find: 'for (const file of here === undefined ? others : [here, ...others])',
    replace: 'for (const file of [])',
    tests: ['test/load/bundle.test.ts'],
    why: 'a bundle with the code of the package finds neither model nor addon'
  },
  {
    name: 'runtime-called-node',
    file: 'lib/load/javascript-runtime.ts',
    find: "versions['bun'] !== undefined",
    replace: 'false',
    tests: ['test/cli/doctor.test.ts'],
    why: 'doctor calls Bun the Node that it follows'
  },
  {
    name: 'error-subject-dropped',
    file: 'lib/errors.ts',
    find: 'this.subject = subject',
    replace: 'this.subject = null',
    tests: ['test/lib/errors.test.ts', DIRECTORY],
    why: 'programs would have to read messages again'
  },
  {
    name: 'unknown-option-ignored',
    file: 'lib/options/known.ts',
    find: 'throw unknownOption(call, key, names)',
    replace: 'continue',
    tests: ['test/lib/options.test.ts'],
    why: 'a misspelt option is ignored without a word'
  },
  {
    name: 'tensor-dispose-twice',
    file: 'lib/values/tensor.ts',
    find: '    self.#handle = undefined\n',
    replace: '',
    tests: [MISUSE],
    why: 'dispose is idempotent, and a tensor refuses everything after it'
  },
  {
    name: 'shared-array-refused',
    file: 'lib/values/tensor.ts',
    find: 'createTensor(ownedBytes(bytes),',
    replace: 'createTensor(data,',
    tests: [MISUSE, TENSOR],
    why: 'what threads share ends in a plain error of Node-API'
  },
  {
    name: 'stage-runs-after-dispose',
    file: 'lib/engine/stage.ts',
    find: "if (handle === undefined) throw disposed('stage')",
    replace: '',
    tests: [MISUSE],
    why: 'a disposed stage says so'
  },
  {
    name: 'safetensors-not-aligned',
    file: 'lib/values/safetensors.ts',
    find: '(8 - (Buffer.byteLength(json) % 8)) % 8',
    replace: '(8 - (Buffer.byteLength(json) % 8)) % 7',
    tests: [TENSOR],
    why: 'other readers refuse data that does not begin at a multiple of 8'
  },
  {
    name: 'safetensors-text-lost',
    file: 'lib/values/safetensors.ts',
    find: '{ __metadata__: metadata }',
    replace: '{ __metadata__: {} }',
    tests: [TENSOR],
    why: 'embeddings know their seeds and prompts after they were saved'
  },
  {
    name: 'mix-not-normalised',
    file: 'lib/values/mix.ts',
    find: 'weights.map(weight => weight / total)',
    replace: 'weights.map(weight => weight)',
    tests: ['test/values/mix.test.ts'],
    why: 'weights need not sum to 1'
  },
  {
    name: 'interpolation-stops-early',
    file: 'lib/values/mix.ts',
    find: 'index / (frames - 1)',
    replace: 'index / frames',
    tests: ['test/values/mix.test.ts'],
    why: 'both ends belong to the line'
  },
  {
    name: 'seeds-all-the-same',
    file: 'lib/plan/seeds.ts',
    find: 'first + index)',
    replace: 'first)',
    tests: [GENERATE],
    why: 'image k has seed + k'
  },
  {
    name: 'prior-timesteps-of-another-reference',
    file: 'lib/plan/timesteps.ts',
    find: 'linspace(1, 2 / 3, 20)',
    replace: 'linspace(1, 2 / 3, 21)',
    tests: ['test/plan/timesteps.test.ts'],
    why: "the default is the reference's list"
  },
  {
    name: 'timesteps-rise',
    file: 'lib/plan/timesteps.ts',
    find: 'level >= (levels[index - 1] as number)',
    replace: 'level > (levels[index - 1] as number)',
    tests: ['test/plan/timesteps.test.ts'],
    why: 'two equal noise levels divide by nothing'
  },
  {
    name: 'strength-without-spread',
    file: 'lib/plan/strength.ts',
    find: 'Math.tan((strength * Math.PI) / 2) * spread',
    replace: 'Math.tan((strength * Math.PI) / 2)',
    tests: ['test/plan/strength.test.ts'],
    why: 'a strength means the same for every model'
  },
  {
    name: 'blob-size-unchecked',
    file: 'lib/options/blob.ts',
    find: "typeof size === 'number' && size <= most",
    replace: "typeof size === 'number'",
    tests: ['test/image/input.test.ts'],
    why: 'a blob may stand for a file of any size'
  },
  {
    name: 'tokens-without-end',
    file: 'lib/model/tokenizer.ts',
    find: '[...all.slice(0, this.#maxLength - 1), all.at(-1)!]',
    replace: 'all.slice(0, this.#maxLength)',
    tests: ['test/parity/tokens.test.ts'],
    why: 'truncation keeps the end token, as the reference does'
  },
  {
    name: 'spaces-of-javascript',
    file: 'lib/model/characters.ts',
    find: '\\\\u0085\\\\u00a0',
    replace: '\\\\ufeff\\\\u00a0',
    tests: ['test/parity/tokens.test.ts'],
    why: "a space is what the reference's tokenizer takes for one"
  },
  {
    name: 'hash-not-verified',
    file: 'lib/model/verify.ts',
    find: 'if (sha256 !== facts.sha256) throw',
    replace: "if (sha256 === '') throw",
    tests: [DIRECTORY],
    why: 'a program is code: what was hashed is what runs'
  },
  {
    name: 'links-out-of-the-model',
    file: 'lib/model/verify.ts',
    find: 'if (file.startsWith(root.endsWith(sep) ? root : root + sep)) return file',
    replace: 'if (root !== file) return file',
    tests: [DIRECTORY],
    why: 'a manifest names files of its own directory alone'
  },
  {
    name: 'format-version-ignored',
    file: 'lib/model/directory.ts',
    find: 'if (version !== 1) throw',
    replace: 'if (version === undefined) throw',
    tests: [DIRECTORY],
    why: 'a format of the future is refused, not misread'
  },
  {
    name: 'artefact-of-another-device',
    file: 'lib/model/select.ts',
    find: "artefact.kind === 'aoti' && artefact.device !== target.device",
    replace: "artefact.device === ''",
    tests: [DEVICES],
    why: 'a library made for another device is refused by name'
  },
  {
    name: 'artefact-of-another-cpu',
    file: 'lib/model/select.ts',
    find: 'rank(artefact.isa) > rank(target.cpuCapability)',
    replace: 'rank(artefact.isa) > 9',
    tests: [DIRECTORY, COMPILED],
    why: 'foreign instructions end the process'
  },
  {
    name: 'libraries-of-another-program',
    file: 'lib/model/compiled.ts',
    find: 'base.sha256 === program.sha256 ? null',
    replace: 'base.sha256 !== undefined ? null',
    tests: [COMPILED],
    why: 'old code would run with new weights'
  },
  {
    name: 'broken-library-fails-the-load',
    file: 'lib/model/compiled.ts',
    find: 'file === error.subject',
    replace: 'file === error.message',
    tests: ['test/lifecycle/compiled.test.ts'],
    why: 'without a library the program still runs'
  },
  {
    name: 'fingerprint-of-names-alone',
    file: 'lib/install/fingerprint.mjs',
    find: '.update(bytes)',
    replace: '',
    tests: ['test/setup/up-to-date.test.mjs'],
    why: 'a changed source is built again'
  },
  {
    name: 'python-runs-a-project',
    file: 'lib/install/libtorch.mjs',
    find: 'sys.path[:] = filter(None, sys.path)',
    replace: 'pass',
    tests: ['test/setup/python.test.mjs'],
    why: "the search for LibTorch runs none of a project's own files"
  },
  {
    name: 'half-a-library-is-mapped',
    file: 'lib/load/cut-off.ts',
    find: 'size < end',
    replace: 'size < 0',
    tests: ['test/load/addon.test.ts'],
    why: 'a LibTorch whose end is missing is an error, and not the end of the process'
  },
  {
    name: 'set-up-outlives-its-command',
    file: 'lib/cli/child.ts',
    find: 'process.kill(-child.pid, signal)',
    replace: 'process.kill(child.pid, signal)',
    tests: ['test/cli/child.test.ts'],
    built: true,
    why: 'whoever ends the set-up ends its compilers and downloads'
  },
  {
    name: 'skip-to-a-later-block',
    file: 'scripts/wuerstchen_export/decoder.py',
    find: 'skip if i == 0 else None',
    replace: 'skip',
    tests: ['test/export/test_configurations.py'],
    why: 'a level that begins with another block has no skip, as in the reference'
  },
  {
    name: 'depthwise-as-linear',
    file: 'scripts/wuerstchen_export/blocks.py',
    find: 'self.kernel_size == (1, 1) and self.groups == 1',
    replace: 'self.kernel_size == (1, 1)',
    tests: ['test/export/test_configurations.py'],
    why: 'a depthwise convolution is no Linear, also where its kernel is 1×1'
  },
  {
    name: 'inner-width-of-heads',
    file: 'scripts/wuerstchen_export/blocks.py',
    find: 'heads * (channels // heads)',
    replace: 'channels',
    tests: ['test/export/test_configurations.py'],
    why: 'heads that do not divide the width leave some of it out'
  },
  {
    name: 'lora-scale-ignored',
    file: 'scripts/wuerstchen_export/lora.py',
    find: 'return Lora(file.name, file_sha256(file), scale, adapters, strange, statements)',
    replace: 'return Lora(file.name, file_sha256(file), 1.0, adapters, strange, statements)',
    tests: ['test/export/test_lora.py'],
    why: 'a LoRA counts by its scale'
  },
  {
    name: 'lora-header-ignored',
    file: 'scripts/wuerstchen_export/lora.py',
    find: 'statements = of_header(read_header(file), file.name)',
    replace: 'statements = of_header({}, file.name)',
    tests: ['test/export/test_lora.py'],
    why: 'a LoRA whose alpha stands in the header alone has the strength that it was trained with'
  },
  {
    name: 'state-dict-before-ema',
    file: 'scripts/wuerstchen_export/layouts.py',
    find: 'NETWORK = ("ema_state_dict", "state_dict")',
    replace: 'NETWORK = ("state_dict", "ema_state_dict")',
    tests: ['test/export/test_layouts.py'],
    why: "the authors' Stage C is its averaged weights, as diffusers published them"
  }
]

/** Runs, engines, devices. @type {readonly Mutation[]} */
export const ENGINE = [
  {
    name: 'cancel-late',
    file: 'lib/engine/engine.ts',
    find: 'loadAddon().cancel(this.#handle, id)',
    replace: 'setTimeout(() => loadAddon().cancel(this.#handle, id), 300)',
    tests: [CANCEL],
    why: 'the engine stops at its next step'
  },
  {
    name: 'cancel-forgotten',
    file: 'lib/engine/engine.ts',
    find: 'loadAddon().cancel(this.#handle, id)',
    replace: '',
    tests: [CANCEL],
    why: 'the engine stops at its next step'
  },
  {
    name: 'loop-blocked',
    file: 'lib/engine/engine.ts',
    find: 'if (!signal.aborted) onEvent(event)',
    replace:
      'for (const until = performance.now() + 20; performance.now() < until; );\n      if (!signal.aborted) onEvent(event)',
    tests: [CANCEL],
    why: 'others in the process have their turn while a picture is made'
  },
  {
    name: 'events-after-abort',
    file: 'lib/engine/engine.ts',
    find: 'if (!signal.aborted) onEvent(event)',
    replace: 'onEvent(event)',
    tests: [CANCEL],
    why: 'nothing is heard of a call that was given up'
  },
  {
    name: 'abort-keeps-the-result',
    file: 'lib/engine/engine.ts',
    find: 'if (signal?.aborted) return free(result)',
    replace: 'if (signal?.aborted) return',
    tests: [GENERATE, 'test/server/robustness/overload.test.ts'],
    why: 'what a cancelled run still delivers is freed'
  },
  {
    name: 'guidance-from-one',
    file: 'lib/pipeline/request.ts',
    find: 'sampling.guidanceScale > 1',
    replace: 'sampling.guidanceScale >= 1',
    tests: [GENERATE],
    why: 'up to 1 there is no guidance, as in the reference'
  },
  {
    name: 'stream-starts-anew',
    file: 'lib/pipeline/request.ts',
    find: 'plan.embeddings?.randomOffsets[image] ?? 0',
    replace: '0',
    tests: [GENERATE],
    why: "a decode goes on with its prior's random stream: prior and decode give generate's picture"
  },
  {
    name: 'halves-lose-the-offset',
    file: 'lib/engine/dispatch.ts',
    find: 'randomOffset: first.randomOffsets[index]!',
    replace: 'randomOffset: 0',
    tests: [DEVICES],
    why: 'two devices give the picture of one'
  },
  {
    name: 'halves-leak-embeddings',
    file: 'lib/engine/dispatch.ts',
    find: 'loadAddon().disposeTensor(first.embeddings)',
    replace: '',
    tests: [DEVICES],
    why: 'what travels between devices is freed'
  },
  {
    name: 'one-engine-does-it-all',
    file: 'lib/engine/spread.ts',
    find: 'share.load++',
    replace: '',
    tests: [DEVICES],
    why: 'images go to the engine that has least to do'
  },
  {
    name: 'failure-leaves-others-running',
    file: 'lib/engine/spread.ts',
    find: 'failed.abort(error)',
    replace: '',
    tests: [DEVICES],
    why: 'a part of a result is none'
  },
  {
    name: 'images-in-another-order',
    file: 'lib/engine/spread.ts',
    find: 'image: images[event.image]! }',
    replace: 'image: event.image }',
    tests: [DEVICES],
    why: 'image k of the call is image k of the result'
  },
  {
    name: 'interrupted-like-failed',
    file: 'lib/cli/outcome.ts',
    find: 'if (error instanceof Interrupted) return 130',
    replace: 'if (error instanceof Interrupted) return 1',
    tests: ['test/cli/generate.test.ts'],
    built: true,
    why: 'shells tell an interrupted command by 130'
  }
]
