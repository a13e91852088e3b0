/**
 * Bounds the cache in which oneDNN keeps its compiled primitives (one for each operation, size and batch), unless the user has
 * set it. Must run before LibTorch is loaded. With oneDNN's own bound, 1024, the memory of a process that makes images of many
 * sizes grows for hours. Convolutions and Linears both count. The sizes and batches of a busy server fit. It has no effect in a
 * worker thread, whose environment is a copy.
 */
export function boundOneDnnCache(environment: NodeJS.ProcessEnv = process.env): void {
  if (environment.ONEDNN_PRIMITIVE_CACHE_CAPACITY !== undefined || environment.DNNL_PRIMITIVE_CACHE_CAPACITY !== undefined) return
  environment.ONEDNN_PRIMITIVE_CACHE_CAPACITY = '512'
}
