/**
 * What the programs of this package (cli/, bench/, server/) use of the library beside its public API. The package does not export
 * it, and it may change with every version.
 */
export { encoderOptions, FORMAT_NAMES, FORMATS, LOSSY_FORMATS } from './image/formats.js'
export { loadOptions } from './engine/load-options.js'
export { formatOf } from './image/generated-image.js'
export { captureImage, readImageFile } from './image/input.js'
export { toWebuiText, WEBUI_SAMPLERS } from './image/parameters.js'
export { PARAMETERS } from './image/parameters-schema.js'
export { INPUT_FORMATS, isAnimated, otherFormat, sniff } from './image/sniff.js'
export { readCutOut } from './image/source.js'
export { loadAddon, loadedAddon } from './load/addon.js'
export { defaultThreads } from './load/device.js'
export { exitNow } from './load/exit-now.js'
export { javascriptRuntimeName } from './load/javascript-runtime.js'
export { cpu, memoryBytes } from './load/machine.js'
export { embeddingChannels } from './model/channels.js'
export { modelPath, readModel } from './model/directory.js'
export { FUNCTIONS, MANIFEST } from './model/manifest.js'
export { isVerified, labelOf } from './model/artefact.js'
export { presetNames, presetValues } from './model/presets.js'
export { pixelsOf, validSides } from './model/size.js'
export { expectTimesteps } from './plan/timesteps.js'

export type { GenerationParameters } from './image/parameters.js'
export type { Cpu } from './load/machine.js'
export type { Manifest, ModelDirectory } from './model/manifest.js'
