/** A parameter's name as requests spell it. */
export function fieldName(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
