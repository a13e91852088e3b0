import type { Dtype } from './dtypes.js'

/** A dimension is a number, or a symbol (`batch`, `height`, `height/2`) that must agree within one call. */
export interface TensorSpec {
  /** The name by which `Stage.run` takes the tensor. */
  name: string
  /** The dtype that it must have. */
  dtype: Dtype
  /** Its dimensions, outermost first. */
  shape: readonly (number | string)[]
}

/** What a function of a program takes and returns, in order. */
export interface FunctionSpec {
  /** The tensors that it takes. */
  inputs: readonly TensorSpec[]
  /** The tensors that it returns. */
  outputs: readonly TensorSpec[]
}
