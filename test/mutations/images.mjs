/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const MASK = 'test/image/mask.test.ts'
const METADATA = 'test/image/metadata.test.ts'

/** @type {readonly Mutation[]} */
export const IMAGES = [
  {
    name: 'deep-profile-ignored',
    file: 'lib/image/colour/open.ts',
    find: 'if (icc === undefined || !isDeep) return open(false)',
    replace: 'if (isDeep || icc === undefined || !isDeep) return open(false)',
    tests: ['test/image/colours.test.ts'],
    why: 'sharp takes files of 16 bits to Display P3'
  },
  {
    name: 'chunk-above-profile',
    file: 'lib/image/colour/png-colours.ts',
    find: "if (named !== undefined || hasProfile || chunks.has('sRGB')) return named",
    replace: 'if (named !== undefined) return named',
    tests: ['test/image/colours.test.ts'],
    why: 'a profile and sRGB stand above gAMA and cHRM'
  },
  {
    name: 'mask-noise-counts',
    file: 'lib/image/mask-levels.ts',
    find: 'const NOISE_WITH_LOSS = 40',
    replace: 'const NOISE_WITH_LOSS = 0',
    tests: ['test/image/mask-levels.test.ts'],
    why: 'what a mask keeps must not change because the mask is a JPEG'
  },
  {
    name: 'grey-at-every-step',
    file: 'lib/image/mask.ts',
    find: 'mask.map(value => (value === 0 ? 0 : 1)),',
    replace: 'Float64Array.from(mask, value => value / 255),',
    tests: ['test/pipeline/masks.test.ts'],
    why: 'half grey changed a sixteenth of what white does'
  },
  {
    name: 'colour-below-transparency',
    file: 'lib/image/cut-out.ts',
    find: 'if (transparency.includes(255)) await continueColours({',
    replace: 'if (transparency.includes(256)) await continueColours({',
    tests: ['test/image/cut-out.test.ts', 'test/pipeline/masks.test.ts'],
    why: 'what a tool left below transparency would come back'
  },
  {
    name: 'mask-feather-wider',
    file: 'lib/image/mask.ts',
    find: 'far / (feather + 1)',
    replace: 'far / (feather + 2)',
    tests: [MASK],
    why: 'the blend reaches the new picture over the feather'
  },
  {
    name: 'mask-shrinks',
    file: 'lib/image/mask.ts',
    find: 'Math.min(1, Math.max(share, soft[index]!))',
    replace: 'Math.min(1, soft[index]!)',
    tests: [MASK],
    why: 'cells inside the mask must change in full'
  },
  {
    name: 'composite-rounds-down',
    file: 'lib/image/mask.ts',
    find: ' - from) + 0.5',
    replace: ' - from)',
    tests: [MASK],
    why: 'pixels are rounded to the nearest'
  },
  {
    name: 'metadata-lost',
    file: 'lib/image/generated-image.ts',
    find: 'return metadata ? withParameters(file, format, this) : file',
    replace: 'return metadata === null ? withParameters(file, format, this) : file',
    tests: [METADATA],
    why: 'a file tells what made it'
  },
  {
    name: 'user-comment-order',
    file: 'lib/image/exif.ts',
    find: "Buffer.from(text, 'utf16le').swap16()",
    replace: "Buffer.from(text, 'utf16le')",
    tests: [METADATA],
    why: 'the webui takes every user comment for big-endian'
  },
  {
    name: 'xmp-document-type-allowed',
    file: 'lib/image/xmp.ts',
    find: "throw new Error('XMP has no document type')",
    replace: 'return',
    tests: ['test/image/xmp.test.ts'],
    why: 'document types declare entities'
  },
  {
    name: 'png-checksum-wrong',
    file: 'lib/image/png-text.ts',
    find: 'checksum.writeUInt32BE(crc32(body))',
    replace: 'checksum.writeUInt32BE(crc32(data))',
    tests: [METADATA],
    why: 'readers refuse a chunk whose checksum is wrong'
  },
  {
    name: 'small-images-enlarged',
    file: 'lib/image/fit.ts',
    find: 'Math.min(1, defaults.width / image.width',
    replace: 'Math.min(9, defaults.width / image.width',
    tests: ['test/image/fit.test.ts'],
    why: 'a picture keeps its size where the model can make it'
  }
]
