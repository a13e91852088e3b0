import { Embeddings } from '../values/embeddings.js'
import { disposed } from '../errors.js'
import type { ImageInput, RawImage } from '../image/input.js'
import { loadAddon } from '../load/addon.js'
import { modelPath, readModel } from '../model/directory.js'
import type { Choice } from '../model/select.js'
import { encodeImages, imagesToLatents, latentsToImages, modify } from './image-calls.js'
import type { EditOptions, EncodeImageOptions, ReconstructOptions, VaryOptions } from '../plan/image-options.js'
import type { ModifyCall } from '../plan/modification.js'
import { nativeCall } from '../load/native-call.js'
import type { StageName } from '../native.js'
import { Tensor } from '../values/tensor.js'
import { describeImage, surroundingsOf } from './describe.js'
import { loadOptions, type PipelineOptions } from '../engine/load-options.js'
import type { DecodeOptions, GenerateOptions, PriorOptions } from '../plan/options.js'
import type { GenerateResult, StreamEvent } from './results.js'
import { createEngines } from '../engine/placement.js'
import { planFromEmbeddings, planFromText, type Plan } from '../plan/plan.js'
import { runPlan, type Finished, type Resources } from './run.js'
import { sumStats, type PipelineStats } from '../engine/stats.js'
import { streamOf } from './stream.js'
import { readTokenizers } from './texts.js'

/** A loaded model. It makes images from prompts and other images. Calls may overlap, and then they share batches. */
export class Pipeline implements AsyncDisposable {
  readonly #resources: Resources
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  private constructor(resources: Resources) {
    this.#resources = resources
  }

  /**
   * Loads a model directory. Without one, it loads WUERSTCHEN_MODEL, else the packaged model.
   * @throws WuerstchenError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_MISMATCH, DEVICE_UNAVAILABLE, NATIVE_LOAD_FAILED,
   *   LIBTORCH_NOT_FOUND, OUT_OF_MEMORY, INVALID_ARGUMENT; the signal's reason if it was aborted
   */
  static async load(modelDir?: string | URL, options?: PipelineOptions): Promise<Pipeline> {
    const checked = loadOptions(options)
    const { signal, verify } = checked
    signal?.throwIfAborted()
    try {
      const model = await readModel(modelPath(modelDir), signal)
      const tokenizers = await readTokenizers(model, verify, signal)
      const engines = await createEngines(model, checked)
      return new Pipeline({
        model,
        tokenizers,
        engines,
        surroundings: surroundingsOf(engines, loadAddon().runtimeInfo().torchVersion)
      })
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  }

  /** Text to images. */
  async generate(options: GenerateOptions): Promise<GenerateResult> {
    this.#expectLive()
    return this.#generate(planFromText('generate', options, this.#resources.model.manifest))
  }

  /** Text to images, event by event. Leaving the loop cancels the work. */
  stream(options: GenerateOptions): AsyncGenerator<StreamEvent, void, undefined> {
    this.#expectLive()
    const plan = planFromText('generate', options, this.#resources.model.manifest)
    return streamOf(
      (signal, push) =>
        this.#generate(
          {
            ...plan,
            signal,
            onStep: step => {
              plan.onStep?.(step)
              push({ type: 'step', ...step })
            },
            onPreview: preview => {
              plan.onPreview?.(preview)
              push({ type: 'preview', ...preview })
            }
          },
          (index, image) => push({ type: 'image', index, image })
        ),
      plan.signal
    )
  }

  /** Stage C alone: text to embeddings. They can be decoded later, on another machine, or several times. */
  async prior(options: PriorOptions): Promise<Embeddings> {
    this.#expectLive()
    const plan = planFromText('prior', options, this.#resources.model.manifest)
    const { result } = await this.#run(plan)
    const { model, surroundings } = this.#resources
    return new Embeddings(
      new Tensor(result.embeddings),
      result.randomOffsets,
      plan.seeds.map((_, image) => describeImage(plan, image, model, surroundings))
    )
  }

  /**
   * Stages B and A alone: embeddings to images. Without seeds, each embedding's random stream continues, so that `prior` and
   * `decode` give what `generate` gives. With seeds, the decoder draws from fresh streams.
   */
  async decode(embeddings: Embeddings | Tensor, options?: DecodeOptions): Promise<GenerateResult> {
    this.#expectLive()
    return this.#generate(planFromEmbeddings(embeddings, options, this.#resources.model.manifest))
  }

  /**
   * Encodes real images to embeddings. They can be decoded, saved or mixed without reading the image again.
   * @param image a file's path or bytes (PNG, JPEG, WebP, AVIF), raw pixels, a `GeneratedImage`, or a list of them
   * @returns (images, 16, gridHeight, gridWidth) float32 in Stage B's space
   * @throws WuerstchenError INVALID_ARGUMENT for anything else, MODEL_MISMATCH if the model has no image encoder
   */
  async encodeImage(image: ImageInput | readonly ImageInput[], options?: EncodeImageOptions): Promise<Embeddings> {
    this.#expectLive()
    return this.#track(encodeImages(image, options, this.#resources))
  }

  /** Encodes real images and decodes them again. The result shows what the embeddings keep of them. */
  async reconstruct(image: ImageInput | readonly ImageInput[], options?: ReconstructOptions): Promise<GenerateResult> {
    return this.#modify('reconstruct', image, options)
  }

  /** Makes images near real ones. At strength 0 the result is their reconstruction. Without a prompt there is no guidance. */
  async vary(image: ImageInput | readonly ImageInput[], options?: VaryOptions): Promise<GenerateResult> {
    return this.#modify('vary', image, options)
  }

  /** Changes real images to what a prompt says. With a mask, only its inside changes, and every pixel outside is exactly kept. */
  async edit(image: ImageInput | readonly ImageInput[], options: EditOptions): Promise<GenerateResult> {
    return this.#modify('edit', image, options)
  }

  /** Stage A's encoder: real images to latents (images, 4, height / 4, width / 4) float32, in the scale of Stage B. */
  async encodeLatents(image: ImageInput | readonly ImageInput[], options?: EncodeImageOptions): Promise<Tensor> {
    this.#expectLive()
    return this.#track(imagesToLatents(image, options, this.#resources))
  }

  /** Stage A's decoder: latents (images, 4, h, w) to images of 4h × 4w pixels. */
  async decodeLatents(latents: Tensor, options?: { signal?: AbortSignal }): Promise<RawImage[]> {
    this.#expectLive()
    return this.#track(latentsToImages(latents, options, this.#resources))
  }

  /** How many requests are queued and running, and what every stage has cost so far. */
  stats(): PipelineStats {
    this.#expectLive()
    return sumStats(this.#engines.map(engine => ({ device: engine.device, ...engine.stats() })))
  }

  /** The loaded model: its name, licence, directory and the SHA-256 of its manifest. */
  get model(): { name: string; license: string; path: string; hash: string } {
    const {
      manifest: { name, license },
      path,
      hash
    } = this.#resources.model
    return { name, license, path, hash }
  }

  /** The artefact of each stage on each device, and the reason why the others were not chosen. */
  get artefacts(): {
    device: string
    stage: StageName
    file: string
    kind: string
    dtype: string
    rejected: Choice['rejected']
  }[] {
    return this.#engines.flatMap(({ device, choices }) =>
      [...choices].map(
        ([
          stage,
          {
            artefact: { file, kind, dtype },
            rejected
          }
        ]) => ({ device, stage, file, kind, dtype, rejected })
      )
    )
  }

  get disposed(): boolean {
    return this.#closing !== undefined
  }

  /** Refuses new work, waits for running calls, then frees the engines. It may be called again. */
  async dispose(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  async #generate(plan: Plan, onImage?: Parameters<typeof runPlan>[2]): Promise<GenerateResult> {
    const { result, images, cut } = await this.#run(plan, onImage)
    loadAddon().disposeTensor(result.embeddings)
    return { images, seeds: plan.seeds, timings: result.timings, cut }
  }

  async #run(plan: Plan, onImage?: Parameters<typeof runPlan>[2]): Promise<Finished> {
    return this.#track(nativeCall(() => runPlan(plan, this.#resources, onImage)))
  }

  async #modify(call: ModifyCall, image: unknown, options: unknown): Promise<GenerateResult> {
    this.#expectLive()
    return this.#track(modify(call, image, options, this.#resources, plan => this.#generate(plan)))
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work)
    try {
      return await work
    } finally {
      this.#running.delete(work)
    }
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running)
    const outcomes = await Promise.allSettled(this.#engines.map(engine => engine.dispose()))
    const failed = outcomes.find(outcome => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  get #engines() {
    const { engines } = this.#resources
    return engines.kind === 'whole' ? engines.engines : [engines.prior, engines.decoder]
  }

  #expectLive(): void {
    if (this.#closing !== undefined) throw disposed('pipeline')
  }
}
