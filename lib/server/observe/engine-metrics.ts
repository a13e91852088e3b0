import { loadedAddon } from '../../internal.js'
import { VERSION } from '../../version.js'
import type { LoadableStats } from '../models/slot.js'
import type { Service } from '../service.js'
import type { Instruments, SetFigure } from './instruments.js'

/** What the engines say of themselves. Asking never loads a model, nor LibTorch. */
export function addEngineMetrics(instruments: Instruments, models: Service['models']): void {
  const ofEngines = (read: (stats: LoadableStats, set: SetFigure) => void) => async (set: SetFigure) => {
    for (const { name: model } of models.all) {
      const loaded = await models.slot(model).peek()
      if (loaded?.stats !== undefined) read(loaded.stats(), (figure, labels) => set(figure, { model, ...labels }))
    }
  }
  const each = (label: string, figures: Record<string, number>, set: SetFigure) => {
    for (const [key, figure] of Object.entries(figures)) set(figure, { [label]: key })
  }
  instruments.reading('model_loaded', '1 where a model is in memory', ['model'], set => {
    for (const { name: model } of models.all) set(models.slot(model).state === 'ready' ? 1 : 0, { model })
  })
  instruments.counting(
    'engine_runs_total',
    'Runs of the engine by how many images shared them, since the model was loaded',
    ['model', 'batch'],
    ofEngines(({ batchSizes }, set) => each('batch', batchSizes, set))
  )
  instruments.counting(
    'engine_fallbacks_total',
    'Runs that failed in a compiled library and that the program did again, since the model was loaded',
    ['model', 'stage'],
    ofEngines(({ stages }, set) => {
      for (const [stage, { fallbacks }] of Object.entries(stages)) set(fallbacks, { stage })
    })
  )
  instruments.reading(
    'engine_bytes',
    "Memory of a model's stages",
    ['model', 'stage'],
    ofEngines(({ bytes }, set) => each('stage', bytes, set))
  )
  instruments.reading(
    'engine_requests',
    'Requests that the engine still has, those whose job was given up too',
    ['model', 'state'],
    ofEngines(({ queued, running }, set) => each('state', { queued, running }, set))
  )
  instruments.reading(
    'engine_tasks',
    'Images to encode and latents to decode that wait or run',
    ['model'],
    ofEngines(({ tasks }, set) => set(tasks))
  )
  instruments.reading(
    'engine_silent_seconds',
    'Time in which an engine has finished nothing although it has work',
    ['model'],
    set => {
      for (const { name: model } of models.all) set(models.slot(model).silence().silentMs / 1000, { model })
    }
  )
  instruments.reading('build_info', '1, with the versions that are at work', ['version', 'node', 'libtorch'], set =>
    // Empty until LibTorch was loaded: it is opened for work, not for figures.
    set(1, { version: VERSION, node: process.versions.node, libtorch: loadedAddon()?.runtimeInfo().torchVersion ?? '' })
  )
}
