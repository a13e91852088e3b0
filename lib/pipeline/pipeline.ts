import { AsyncResource } from 'node:async_hooks'
import { Embeddings } from '../values/embeddings.js'
import { disposed, invalid } from '../errors.js'
import type { ImageInput, RgbImage } from '../image/input.js'
import { loadAddon } from '../load/addon.js'
import { modelPath, readModel } from '../model/directory.js'
import { isVerified } from '../model/artefact.js'
import { encodeImages, imagesToLatents, latentsToImages, modify } from './image-calls.js'
import type { EditOptions, EncodeImageOptions, ReconstructOptions, VaryOptions } from '../plan/image-options.js'
import type { ModifyCall } from '../plan/modification.js'
import { nativeCall } from '../load/native-call.js'
import { Tensor } from '../values/tensor.js'
import { describeImage, surroundingsOf } from './describe.js'
import { loadOptions, type LoadOptions, type PipelineOptions } from '../engine/load-options.js'
import { Listeners } from '../options/listeners.js'
import type { DecodeOptions, GenerateOptions, PriorOptions } from '../plan/options.js'
import type { GenerateResult, LoadedArtefact, LoadedModel, StreamEvent } from './results.js'
import { createEngines } from '../engine/placement.js'
import { planFromEmbeddings, planFromText, type Plan } from '../plan/plan.js'
import { runPlan, type Finished, type Resources } from './run.js'
import { sumStats, type PipelineStats } from '../engine/stats.js'
import { streamOf, type StartStream } from './stream.js'
import { readTokenizers } from './texts.js'

/** A loaded model. It makes images from prompts and other images. Calls may overlap, and then they share batches. */
export class Pipeline implements AsyncDisposable {
  readonly #resources: Resources
  /** The calls that have not ended, each with what ends it before its time. */
  readonly #running = new Map<Promise<unknown>, (error: unknown) => void>()
  #closing: Promise<void> | undefined

  private constructor(resources: Resources) {
    this.#resources = resources
  }

  /**
   * Loads a model directory. Without one, it loads WUERSTCHEN_MODEL, else the packaged model.
   * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_MISMATCH, DEVICE_UNAVAILABLE, NATIVE_LOAD_FAILED,
   *   LIBTORCH_NOT_FOUND, OUT_OF_MEMORY, INVALID_ARGUMENT; the signal's reason if it was aborted; what `onProgress` threw
   */
  static async load(modelDir?: string | URL, options?: PipelineOptions): Promise<Pipeline> {
    const checked = loadOptions(options)
    const directory = modelPath(modelDir)
    checked.signal?.throwIfAborted()
    const listeners = new Listeners(checked.signal)
    const onProgress = checked.onProgress && listeners.of(checked.onProgress)
    return listeners.run(
      signal => Pipeline.#load(directory, { ...checked, onProgress, signal }),
      pipeline => pipeline.dispose()
    )
  }

  static async #load(directory: string, options: LoadOptions & { signal: AbortSignal }): Promise<Pipeline> {
    const { signal, verify } = options
    try {
      const model = await readModel(directory, signal)
      const tokenizers = await readTokenizers(model, verify, signal)
      const engines = await createEngines(model, options, {
        priorTextEncoder: tokenizers.prior.extent,
        decoderTextEncoder: tokenizers.decoder.extent
      })
      const surroundings = surroundingsOf(engines, loadAddon().runtimeInfo().torchVersion)
      return new Pipeline({ model, tokenizers, engines, surroundings })
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    }
  }

  /** The receiver of a method, which may have been borrowed for another object. */
  static #self(receiver: unknown): Pipeline {
    if (receiver !== null && typeof receiver === 'object' && #resources in receiver) return receiver
    throw invalid('this', 'a Pipeline', receiver)
  }

  /** The receiver of a method, if it has not been disposed of. */
  static #live(receiver: unknown): Pipeline {
    const self = Pipeline.#self(receiver)
    if (self.#closing !== undefined) throw disposed('pipeline')
    return self
  }

  /**
   * Text to images: Stage C, then Stages B and A.
   * @throws WuerstchenError INVALID_ARGUMENT, NOT_FINITE, OUT_OF_MEMORY, DISPOSED; the signal's reason; what a listener threw
   */
  async generate(options: GenerateOptions): Promise<GenerateResult> {
    const self = Pipeline.#live(this)
    return self.#generate(planFromText('generate', options, self.#resources.model.manifest))
  }

  /**
   * Text to images, event by event. Leaving the loop cancels the work. The engine does not wait for the reader: when 256 steps or
   * 16 previews wait, the newest one of the same image gives way to the one that comes. Images, the last step of each image,
   * `done` and errors are never left out.
   * @throws WuerstchenError INVALID_ARGUMENT, DISPOSED at the call; what `generate` rejects with, from the loop
   */
  stream(options: GenerateOptions): AsyncGenerator<StreamEvent, void, undefined> {
    const self = Pipeline.#live(this)
    const plan = planFromText('generate', options, self.#resources.model.manifest)
    const { onStep, onPreview, onImage } = plan
    const start: StartStream = (signal, push) =>
      Pipeline.#live(self).#generate({
        ...plan,
        signal,
        onStep: step => {
          const heard = onStep?.(step)
          push({ type: 'step', ...step })
          return heard
        },
        onPreview: preview => {
          const heard = onPreview?.(preview)
          push({ type: 'preview', ...preview })
          return heard
        },
        onImage: event => {
          const heard = onImage?.(event)
          push({ type: 'image', ...event })
          return heard
        }
      })
    // The run begins when the first event is asked for, which may be in another async context than that of this call.
    return streamOf(AsyncResource.bind(start), plan.signal)
  }

  /**
   * Stage C alone: text to embeddings. They can be decoded later, on another machine, or several times.
   * @returns (images, 16, gridHeight, gridWidth) float32 on the CPU, in Stage B's space
   * @throws WuerstchenError INVALID_ARGUMENT, NOT_FINITE, OUT_OF_MEMORY, DISPOSED; the signal's reason; what a listener threw
   */
  async prior(options: PriorOptions): Promise<Embeddings> {
    const self = Pipeline.#live(this)
    const plan = planFromText('prior', options, self.#resources.model.manifest)
    const { result } = await self.#run(plan)
    const { model, surroundings } = self.#resources
    return new Embeddings(
      new Tensor(result.embeddings),
      result.randomOffsets,
      plan.seeds.map((_, image) => describeImage(plan, image, model, surroundings))
    )
  }

  /**
   * Stages B and A alone: embeddings to images. Without seeds, each embedding's random stream continues, so that `prior` and
   * `decode` give what `generate` gives. With seeds, the decoder draws from fresh streams.
   * @param embeddings in any floating dtype; a plain tensor is (images, 16, gridHeight, gridWidth) in Stage B's space
   * @throws WuerstchenError INVALID_ARGUMENT, also for other channels than the model's, NOT_FINITE, OUT_OF_MEMORY, DISPOSED; the
   *   signal's reason; what a listener threw
   */
  async decode(embeddings: Embeddings | Tensor, options?: DecodeOptions): Promise<GenerateResult> {
    const self = Pipeline.#live(this)
    return self.#generate(planFromEmbeddings(embeddings, options, self.#resources.model.manifest))
  }

  /**
   * Encodes real images to embeddings. They can be decoded, saved or mixed without reading the image again.
   * @param image a file's path or bytes (PNG, JPEG, WebP, AVIF), raw pixels, a `GeneratedImage`, or a list of them
   * @returns (images, 16, gridHeight, gridWidth) float32 in Stage B's space
   * @throws WuerstchenError INVALID_ARGUMENT for anything else, MODEL_MISMATCH if the model has no image encoder
   */
  async encodeImage(image: ImageInput | readonly ImageInput[], options?: EncodeImageOptions): Promise<Embeddings> {
    const self = Pipeline.#live(this)
    return self.#track(encodeImages(image, options, self.#resources))
  }

  /**
   * Encodes real images and decodes them again. The result shows what the embeddings keep of them.
   * @throws WuerstchenError as `vary`
   */
  async reconstruct(image: ImageInput | readonly ImageInput[], options?: ReconstructOptions): Promise<GenerateResult> {
    return Pipeline.#live(this).#modify('reconstruct', image, options)
  }

  /**
   * Makes images near real ones. At strength 0 the result is their reconstruction. Without a prompt there is no guidance.
   * @throws WuerstchenError INVALID_ARGUMENT, MODEL_MISMATCH if the model has no image encoder, NOT_FINITE, OUT_OF_MEMORY,
   *   DISPOSED; the signal's reason; what a listener threw
   */
  async vary(image: ImageInput | readonly ImageInput[], options?: VaryOptions): Promise<GenerateResult> {
    return Pipeline.#live(this).#modify('vary', image, options)
  }

  /**
   * Changes real images to what a prompt says. With a mask, only its inside changes, and every pixel outside is exactly kept.
   * @throws WuerstchenError as `vary`
   */
  async edit(image: ImageInput | readonly ImageInput[], options: EditOptions): Promise<GenerateResult> {
    return Pipeline.#live(this).#modify('edit', image, options)
  }

  /**
   * Stage A's encoder: real images to latents (images, 4, height / 4, width / 4) float32, in the scale of Stage B.
   * @throws WuerstchenError INVALID_ARGUMENT, MODEL_MISMATCH if the model has no VQ encoder, OUT_OF_MEMORY, DISPOSED; the
   *   signal's reason
   */
  async encodeLatents(image: ImageInput | readonly ImageInput[], options?: EncodeImageOptions): Promise<Tensor> {
    const self = Pipeline.#live(this)
    return self.#track(imagesToLatents(image, options, self.#resources))
  }

  /**
   * Stage A's decoder: latents (images, 4, h, w) to images of 4h × 4w pixels, RGB.
   * @throws WuerstchenError INVALID_ARGUMENT, NOT_FINITE, OUT_OF_MEMORY, DISPOSED; the signal's reason
   */
  async decodeLatents(latents: Tensor, options?: { signal?: AbortSignal }): Promise<RgbImage[]> {
    const self = Pipeline.#live(this)
    return self.#track(latentsToImages(latents, options, self.#resources))
  }

  /**
   * How many requests are queued and running, and what every stage has cost so far.
   * @throws WuerstchenError DISPOSED
   */
  stats(): PipelineStats {
    const self = Pipeline.#live(this)
    return sumStats(self.#engines)
  }

  /** The loaded model. */
  get model(): LoadedModel {
    const {
      manifest: { name, license },
      path,
      hash
    } = Pipeline.#self(this).#resources.model
    return { name, license, path, hash }
  }

  /** The artefact of each stage on each device, and the reason why the others were not chosen. */
  get artefacts(): LoadedArtefact[] {
    return Pipeline.#self(this).#engines.flatMap(({ device, choices }) =>
      [...choices].map(([stage, { artefact, rejected }]) => {
        const { file, kind, dtype } = artefact
        return { device, stage, file, kind, dtype, verified: isVerified(artefact), rejected }
      })
    )
  }

  /** Whether `dispose` was called. Every other call then rejects with DISPOSED. */
  get disposed(): boolean {
    return Pipeline.#self(this).#closing !== undefined
  }

  /**
   * Ends all work and frees the engines. Calls that wait or run reject with DISPOSED, at the engine's next step: await those that
   * are still wanted first. It may be called again.
   */
  async dispose(): Promise<void> {
    const self = Pipeline.#self(this)
    self.#closing ??= self.#close()
    await self.#closing
  }

  /** `dispose`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Pipeline.#self(this).dispose()
  }

  async #generate(plan: Plan): Promise<GenerateResult> {
    const { result, images, cut } = await this.#run(plan)
    loadAddon().disposeTensor(result.embeddings)
    return { images, seeds: plan.seeds, timings: result.timings, cut }
  }

  async #run(plan: Plan): Promise<Finished> {
    return this.#track(nativeCall(() => runPlan(plan, this.#resources)))
  }

  async #modify(call: ModifyCall, image: unknown, options: unknown): Promise<GenerateResult> {
    return this.#track(modify(call, image, options, this.#resources, plan => this.#generate(plan)))
  }

  /** What a call gives; or `DISPOSED` once the engines are gone, whatever the call still waits for (a listener, a file). */
  #track<T>(work: Promise<T>): Promise<T> {
    let end: (error: unknown) => void = () => {}
    const call = new Promise<T>((resolve, reject) => {
      end = reject
      work.then(resolve, reject)
    }).finally(() => this.#running.delete(call))
    this.#running.set(call, end)
    return call
  }

  async #close(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#engines.map(engine => engine.dispose()))
    const calls = [...this.#running.keys()]
    for (const end of this.#running.values()) end(disposed('pipeline'))
    await Promise.allSettled(calls)
    const failed = outcomes.find(outcome => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  get #engines() {
    const { engines } = this.#resources
    return engines.kind === 'whole' ? engines.engines : [engines.prior, engines.decoder]
  }
}
