/**
 * The numbers that stand for keys without a name. A key keeps its number while the process runs, and no other key gets it: what
 * belongs to a key, its jobs say, must not pass to another one because a line before it has gone.
 */
export class KeyNumbers {
  readonly #numbers = new Map<string, number>()

  /**
   * @param hash of the key
   * @param place its number among the keys, which it gets if it is free
   */
  of(hash: string, place: number): number {
    const known = this.#numbers.get(hash)
    if (known !== undefined) return known
    const taken = new Set(this.#numbers.values())
    let number = place
    while (taken.has(number)) number++
    this.#numbers.set(hash, number)
    return number
  }
}
