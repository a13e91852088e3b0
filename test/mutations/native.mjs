/** @typedef {import('../mutations.mjs').Mutation} Mutation */

/** The core and the addon. @type {readonly Mutation[]} */
export const NATIVE = [
  {
    name: 'guidance-upside-down',
    file: 'cpp/core/guidance.h',
    find: 'at::lerp(unconditional, conditional, scale)',
    replace: 'at::lerp(conditional, unconditional, scale)',
    tests: ['core_tests'],
    native: true,
    why: "guidance is the reference's"
  },
  {
    name: 'sampler-epsilon',
    file: 'cpp/core/schedule.cc',
    find: '.epsilonScale = (1.0F - alpha) / std::sqrt(1.0F - alphaT)',
    replace: '.epsilonScale = (1.0F - alpha) / std::sqrt(1.0F - alphaNext)',
    tests: ['core_tests'],
    native: true,
    why: "each step has the reference's coefficients"
  },
  {
    name: 'sampler-noise-at-the-end',
    file: 'cpp/core/schedule.cc',
    find: '.sigma = next == 0.0F ? 0.0F : ',
    replace: '.sigma = ',
    tests: ['core_tests'],
    native: true,
    why: 'the last step adds no noise'
  },
  {
    name: 'random-offset-ignored',
    file: 'cpp/core/random.cc',
    find: 'while (offset_ < offset)',
    replace: 'while (offset_ > offset)',
    tests: ['core_tests'],
    native: true,
    why: "a decode goes on with its prior's random stream"
  },
  {
    name: 'noise-rounded-before-use',
    file: 'cpp/core/denoise.cc',
    find: 'if (t.steps[t.next].drawsNoise)',
    replace: 'if (false)',
    tests: ['core_tests'],
    native: true,
    why: 'every step draws from its own image'
  },
  {
    name: 'rank-without-size',
    file: 'cpp/core/turns.cc',
    find: 'image.job->stepsLeft * workOf(image)',
    replace: 'image.job->stepsLeft',
    tests: ['core_tests'],
    native: true,
    why: 'a small request overtakes a large one of fewer steps'
  },
  {
    name: 'clock-without-size',
    file: 'cpp/core/turns.cc',
    find: 'now_ += workOf(first)',
    replace: 'now_ += 1',
    tests: ['core_tests'],
    native: true,
    why: 'what stands behind a request in its rank is work, as the rank is'
  },
  {
    name: 'batches-of-any-size',
    file: 'cpp/core/spec.cc',
    find: 'spec.maxBatchCells == 0 ? spec.maxBatch',
    replace: 'spec.maxBatchCells >= 0 ? spec.maxBatch',
    tests: ['core_tests'],
    native: true,
    why: 'larger images share a run with fewer others'
  },
  {
    name: 'mask-forgotten-at-the-end',
    file: 'cpp/core/denoise.cc',
    find: 't.inpainting && t.next + 1 == t.steps.size() ? keep',
    replace: 't.inpainting && t.next + 1 != t.steps.size() ? keep',
    tests: ['core_tests'],
    native: true,
    why: 'what the mask keeps is kept'
  },
  {
    name: 'pixels-round-down',
    file: 'cpp/core/decoder.cc',
    find: '.clamp(0, 1) * 255).round()',
    replace: '.clamp(0, 1) * 255).floor()',
    tests: ['test/parity/pipeline.test.ts'],
    native: true,
    why: "a pixel is the reference's"
  },
  {
    name: 'memory-not-told-to-v8',
    file: 'cpp/addon/tensor.cc',
    find: 'AdjustExternalMemory(env, holder->accounted)',
    replace: 'AdjustExternalMemory(env, 0)',
    tests: ['test/lifecycle/process.test.ts'],
    native: true,
    why: 'tensors that nobody disposes are collected in time'
  },
  {
    name: 'queue-run-before-the-end',
    file: 'cpp/core/worker.cc',
    find: 'wanted = !stopping_ ||',
    replace: 'wanted = stopping_ || !stopping_ ||',
    tests: ['core_tests'],
    native: true,
    why: 'a process that ends waits for one run, not for all that wait'
  },
  {
    name: 'tasks-all-before-a-step',
    file: 'cpp/core/engine.cc',
    find: '  runTask();\n      if',
    replace: '  while (!tasks_.empty()) runTask();\n      if',
    tests: ['core_tests'],
    native: true,
    why: 'images of real pictures do not hold up the others'
  },
  {
    name: 'black-instead-of-an-error',
    file: 'cpp/core/finite.h',
    find: 'if (isFinite(tensor)) return;',
    replace: 'return;',
    tests: ['core_tests'],
    native: true,
    why: 'a picture that is not finite is an error, not plain black'
  },
  {
    name: 'batch-not-halved',
    file: 'cpp/core/engine_run.cc',
    find: 'if (batch.size() == 1 ||',
    replace: 'if (batch.size() > 0 ||',
    tests: ['core_tests'],
    native: true,
    why: 'riders that fit by themselves do not fail together'
  },
  {
    name: 'stream-consumed-by-a-failed-step',
    file: 'cpp/core/denoise.cc',
    find: '*batch[i]->random = std::move(before[i].second);',
    replace: '',
    tests: ['core_tests'],
    native: true,
    why: 'a step that is tried again draws the same noise'
  },
  {
    name: 'changed-program-read',
    file: 'cpp/core/program_file.cc',
    find: 'stampOf(found) == stamp_',
    replace: '!stamp_.empty()',
    tests: ['core_tests'],
    native: true,
    why: 'what was hashed is what runs'
  },
  {
    name: 'stream-resumed-in-blocks',
    file: 'cpp/core/random.cc',
    find: 'size > 0 && size % 16 != 0 ? size : kBlock',
    replace: 'kBlock',
    tests: ['core_tests'],
    native: true,
    why: 'a stream goes on where the prior stopped, whatever size its draws have'
  },
  {
    name: 'stages-not-tried',
    file: 'cpp/core/stages.cc',
    find: 'tryStage(*this, spec_, id);',
    replace: '',
    tests: ['core_tests'],
    native: true,
    why: 'a program of another stage is found before the first request'
  },
  {
    name: 'libraries-not-proven',
    file: 'cpp/core/library_proof.cc',
    find: 'if (!(difference <= tolerance(wanted.scalar_type())))',
    replace: 'if (difference < 0)',
    tests: ['core_tests'],
    native: true,
    why: 'a library that does not fit this LibTorch is not used'
  },
  {
    name: 'library-keeps-its-weights',
    file: 'cpp/core/open_library.cc',
    find: 'if (weight.released == 0) aoti_torch_delete_tensor_object(weight.reference);',
    replace: '',
    tests: ['test/lifecycle/compiled.test.ts'],
    native: true,
    why: 'a pipeline that was disposed of leaves none of its weights in memory'
  },
  {
    name: 'half-noise-drawn-in-half',
    file: 'cpp/core/random.cc',
    find: 'dtype(c10::kFloat)',
    replace: 'dtype(dtype == c10::kHalf ? c10::kBFloat16 : c10::kFloat)',
    tests: ['core_tests'],
    native: true,
    why: 'a seed gives the same noise in half types with every LibTorch'
  },
  {
    name: 'failed-library-fails-the-run',
    file: 'cpp/core/aoti.cc',
    find: 'code == Code::OutOfMemory) throw;\n  }\n  ++fallbacks;',
    replace: 'code != Code::OutOfMemory) throw;\n  }\n  ++fallbacks;',
    tests: ['core_tests'],
    native: true,
    why: 'a library of LibTorch 2.11 cannot say that memory was refused, and its program can'
  },
  {
    name: 'failures-of-a-library-unseen',
    file: 'cpp/core/aoti.cc',
    find: '  ++fallbacks;\n',
    replace: '',
    tests: ['core_tests'],
    native: true,
    why: 'a library that always fails costs time for ever, and nothing says so'
  },
  {
    name: 'short-records-read',
    file: 'cpp/core/program_records.cc',
    find: 'tensor.storage().nbytes() <= record->size',
    replace: 'tensor.storage().nbytes() > 0',
    tests: ['core_tests'],
    native: true,
    why: 'LibTorch reads what comes after a record that is too short, and dies of an empty one'
  },
  {
    name: 'sizes-between-multiples-covered',
    file: 'cpp/core/coverage.cc',
    find: ' || size % limit.multipleOf != 0',
    replace: '',
    tests: ['core_tests'],
    native: true,
    why: 'a library computes rubbish for sizes that it was not made for'
  },
  {
    name: 'gpu-memory-taken-from-others',
    file: 'cpp/core/memory.h',
    find: 'WeightsOn::count(device) == 0',
    replace: 'WeightsOn::count(device) >= 0',
    tests: ['core_tests'],
    native: true,
    why: 'emptying the memory of a GPU makes all its engines wait'
  },
  {
    name: 'work-within-work-waits',
    file: 'cpp/core/thread.cc',
    find: 'if (depth++ > 0) return;',
    replace: 'depth++;',
    tests: ['core_tests'],
    native: true,
    why: 'a run that a library hands on, while another engine starts, would wait for ever'
  }
]
