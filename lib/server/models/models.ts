import type { ModelFacts } from './model.js'
import type { Loadable, Silence, SlotHealth, SlotState } from './slot.js'

/** A model and what it is, for whoever asks whether the server is ready. */
export type ModelHealth = { id: string } & SlotHealth

/** The models of a server as its routes see them, whether they are in this process or with workers elsewhere. */
export interface Models {
  /** Other names, and the names of the models that they mean. */
  readonly aliases: ReadonlyMap<string, string>
  /** Every name that a request may give. */
  readonly names: string[]
  /** The facts of all models, the default one first. */
  readonly all: ModelFacts[]
  readonly health: ModelHealth[]
  /** Whether a model is being loaded now. */
  readonly loading: boolean
  /** Whether models come and go while the server runs, so that nothing may be made of their names and sizes once for all. */
  readonly changing: boolean
  find(name: string | undefined): ModelFacts | undefined
  slot(name: string): SlotView
  warmUp(): Promise<void>
  close(): Promise<void>
}

export interface SlotView {
  readonly state: SlotState
  /** The model where it is loaded in this process; never loads it. */
  peek(): Promise<Loadable | undefined>
  silence(): Silence
  /** Frees it in this process, once nobody uses it. */
  unload(): Promise<void>
}
