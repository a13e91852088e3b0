/** Milliseconds of wall time that this request spent in each stage. A batch's time counts in full for each of its requests. */
export interface Timings {
  /** Until the first step of the call. */
  queued: number
  /** Programs that had to be loaded, with `residency: 'sequential'`. */
  load: number
  /** Encoding texts for the prior. */
  priorTextEncoder: number
  /** All steps of the prior (Stage C). */
  prior: number
  /** Encoding texts for the decoder. */
  decoderTextEncoder: number
  /** All steps of the decoder (Stage B). */
  decoder: number
  /** Latents to pixels (Stage A). */
  vqDecoder: number
  /** Previews. */
  previewer: number
  /** From the call to its end. */
  total: number
}

/** What a stage has cost since its engine was made. */
export interface StageCost {
  /** Milliseconds. */
  ms: number
  /** How often its programs ran. */
  runs: number
  /** The rows of all runs together. An image with guidance is two rows. */
  rows: number
  /** Runs that failed in a compiled library. The TorchScript program did them again, and takes longer. */
  fallbacks: number
}
