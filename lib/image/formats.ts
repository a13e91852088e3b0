/** The file formats that images are written in, a row each. */

interface FormatFacts {
  /** Extensions of file names. The first is the one that is written. */
  extensions: readonly string[]
  mime: string
  /** Whether a quality can be chosen. */
  lossy: boolean
}

export const FORMATS = {
  png: { extensions: ['.png'], mime: 'image/png', lossy: false },
  jpeg: { extensions: ['.jpg', '.jpeg'], mime: 'image/jpeg', lossy: true },
  webp: { extensions: ['.webp'], mime: 'image/webp', lossy: true }
} as const satisfies Record<string, FormatFacts>

/**
 * The formats that images are written in.
 * @useDeclaredType
 */
export type ImageFormat = keyof typeof FORMATS

export const FORMAT_NAMES = Object.keys(FORMATS) as ImageFormat[]

export const LOSSY_FORMATS = FORMAT_NAMES.filter(name => FORMATS[name].lossy)

/** The options for an encoder. A quality counts only if the format has one. */
export function encoderOptions(format: ImageFormat, quality: number | undefined): { quality?: number } {
  return FORMATS[format].lossy && quality !== undefined ? { quality } : {}
}

/** The largest file that is read, in bytes. Larger files hold no image of a size that can be read. */
export const LARGEST_FILE = 256 * 1024 * 1024
