/** A name that nothing else has. `crypto.randomUUID` is missing where the page came over plain HTTP from another machine. */
export function createId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), part => part.toString(36)).join('-')
}
