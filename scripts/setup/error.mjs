/**
 * A step that cannot continue, with what the user can do about it. It is printed as a text with numbered fixes, without a stack.
 */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {string[]} fixes
   */
  constructor(message, fixes = []) {
    super(message)
    this.name = 'SetupError'
    this.fixes = fixes
  }
}

/** @param {SetupError} error */
export function setupErrorText({ message, fixes }) {
  if (fixes.length === 0) return message
  return [message, '', 'Possible solutions:', ...fixes.map((fix, index) => `  ${index + 1}. ${fix}`)].join('\n')
}
