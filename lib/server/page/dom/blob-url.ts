const urls = new WeakMap<Blob, string>()

/** An address for a file of this page; the same file has one address, so that the browser decodes it once. */
export function urlOf(file: Blob): string {
  let url = urls.get(file)
  if (url === undefined) urls.set(file, (url = URL.createObjectURL(file)))
  return url
}

/** Lets go of a file that is shown nowhere any more. */
export function forget(file: Blob): void {
  const url = urls.get(file)
  if (url !== undefined) URL.revokeObjectURL(url)
  urls.delete(file)
}
