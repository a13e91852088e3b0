import { Tensor } from './tensor.js'

/** Joins the rows of several tensors in one, with each row repeated `times` times. It disposes of the tensors. */
export async function stackRows(tensors: readonly Tensor[], times = 1): Promise<Tensor> {
  try {
    const [first] = tensors
    const rows = await Promise.all(tensors.map(async tensor => (await tensor.data()) as Float32Array))
    const size = rows[0]!.length
    const all = new Float32Array(size * rows.length * times)
    rows.forEach((row, index) => {
      for (let k = 0; k < times; k++) all.set(row, (index * times + k) * size)
    })
    return Tensor.from(all, [rows.length * times, ...first!.shape.slice(1)])
  } finally {
    for (const tensor of tensors) tensor.dispose()
  }
}

/** The elements of any floating dtype as float32. */
export async function floatsOf(tensor: Tensor): Promise<Float32Array> {
  if (tensor.dtype === 'float32') return (await tensor.data()) as Float32Array
  using converted = await tensor.to('float32')
  return (await converted.data()) as Float32Array
}

/** The rows of float32 data of a shape, each as a tensor of one row. */
export function splitRows(data: Float32Array, [count, ...rest]: readonly number[]): Tensor[] {
  const size = data.length / count!
  return Array.from({ length: count! }, (_, row) => Tensor.from(data.subarray(row * size, (row + 1) * size), [1, ...rest]))
}
