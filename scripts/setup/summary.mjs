/** The pattern of each runner's own summary, as it is printed without colours. */
const patterns = {
  ctest: /^\d+% tests passed.*$/gm,
  vitest: /^ *(?:Test Files|Tests|Errors) +\d.*$/gm,
  pytest: /^=*\s*\d+ (?:passed|failed|error)[^\n]* in [\d.]+s.*$/gm
}

/**
 * @param {string} runner
 * @param {string} text everything it printed
 */
export function summaryLines(runner, text) {
  const pattern = patterns[/** @type {keyof typeof patterns} */ (runner)]
  return pattern ? [...text.matchAll(pattern)].map(([line]) => line.trim()) : []
}

/**
 * The number of tests of all runners. A runner without tests (lint, types) counts as one test. So does one that failed without
 * naming a test.
 * @param {{ name: string, ok: boolean, text: string }[]} results
 */
export function counts(results) {
  let [passed, failed] = [0, 0]
  for (const { name, ok, text } of results) {
    const own =
      name === 'ctest' ? ofCtest(text) : ofWords(summaryLines(name, text).filter(line => !line.startsWith('Test Files')))
    if (own.passed + own.failed === 0) own.passed = ok ? 1 : 0
    passed += own.passed
    failed += Math.max(own.failed, ok ? 0 : 1)
  }
  return { passed, failed }
}

/** @param {string} text */
function ofCtest(text) {
  const [, failed, all] = /(\d+) tests failed out of (\d+)/.exec(text) ?? [0, 0, 0]
  return { passed: Number(all) - Number(failed), failed: Number(failed) }
}

/** @param {string[]} lines */
function ofWords(lines) {
  const sum = (/** @type {RegExp} */ word) =>
    lines.flatMap(line => [...line.matchAll(word)]).reduce((total, [, number]) => total + Number(number), 0)
  return { passed: sum(/(\d+) passed/g), failed: sum(/(\d+) (?:failed|errors?)/g) }
}
