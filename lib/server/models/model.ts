import { type Manifest, readModel, validSides } from '../../internal.js'

/** What requests are checked against, known without loading the model. */
export interface ModelFacts {
  /** The name that requests choose it by. */
  name: string
  path: string
  license: string
  /** SHA-256 of the manifest. */
  hash: string
  /** Sides in pixels that it can make. */
  sides: readonly number[]
  defaults: Manifest['defaults']
  /** Whether it can start from images: the image encoder is an optional part of a model. */
  readsImages: boolean
  manifest: Manifest
}

export async function readFacts(name: string | undefined, path: string): Promise<ModelFacts> {
  const { manifest, hash, path: absolute } = await readModel(path)
  return {
    name: name ?? manifest.name,
    path: absolute,
    license: manifest.license,
    hash,
    manifest,
    sides: validSides(manifest.constants),
    defaults: manifest.defaults,
    readsImages: manifest.stages.imageEncoder !== undefined && manifest.constants.embeddingStd !== undefined
  }
}
