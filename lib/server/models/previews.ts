import sharp from 'sharp'
import type { PreviewEvent } from '../../index.js'
import { encoderOptions } from '../../internal.js'
import type { FileOptions, WorkEvent } from '../jobs/work.js'

/** Writes previews as files and hands them on, each image's in their order. */
export class PreviewWriter {
  readonly #file: FileOptions
  readonly #emit: (event: WorkEvent) => void
  readonly #counts = new Map<number, number>()
  #written: Promise<void> = Promise.resolve()

  constructor(file: FileOptions, emit: (event: WorkEvent) => void) {
    this.#file = file
    this.#emit = emit
  }

  /** Resolves when all are handed on; a preview that cannot be written fails the work. */
  get written(): Promise<void> {
    return this.#written
  }

  write({ index: image, image: { data, width, height } }: PreviewEvent): void {
    const { format, quality } = this.#file
    const index = this.#counts.get(image) ?? 0
    this.#counts.set(image, index + 1)
    const file = sharp(data, { raw: { width, height, channels: 3 } })
      .toFormat(format, encoderOptions(format, quality))
      .toBuffer()
    this.#written = Promise.all([file, this.#written]).then(([bytes]) =>
      this.#emit({ type: 'preview', image, index, file: bytes, format, width, height })
    )
    // Awaited by whoever awaits `written`; until then a failure is nobody's surprise.
    this.#written.catch(() => {})
  }
}
