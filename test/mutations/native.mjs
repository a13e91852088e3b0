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
    find: 'noiseRows.push_back(t->random->normal(t->latents.sizes(), program.dtype()))',
    replace: 'noiseRows.push_back(at::zeros(t->latents.sizes()))',
    tests: ['core_tests'],
    native: true,
    why: 'every step draws from its own image'
  },
  {
    name: 'mask-forgotten-at-the-end',
    file: 'cpp/core/denoise.cc',
    find: 'if (t.inpainting && t.done()) t.latents',
    replace: 'if (t.inpainting && !t.done()) t.latents',
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
  }
]
