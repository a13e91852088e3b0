/**
 * Bounds the cache in which oneDNN keeps its compiled primitives (one for each operation, size and batch), unless the user chose
 * otherwise. Must run before LibTorch is loaded. oneDNN's own bound, 1024, lets a process that makes pictures of many sizes grow
 * for hours. Convolutions and Linears count alike; the sizes and batches of a busy server fit.
 * A worker thread's environment is a copy, so there it has no effect.
 */
export function boundOneDnnCache(environment: NodeJS.ProcessEnv = process.env): void {
  if (environment.ONEDNN_PRIMITIVE_CACHE_CAPACITY !== undefined || environment.DNNL_PRIMITIVE_CACHE_CAPACITY !== undefined) return
  environment.ONEDNN_PRIMITIVE_CACHE_CAPACITY = '512'
}
