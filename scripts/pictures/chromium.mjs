import { existsSync } from 'node:fs'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Where this machine has Chromium; undefined where it has none. */
export const findChromium = () => process.env['CHROMIUM'] ?? PLACES.find(existsSync)

/** The Chromium of this machine: playwright-core brings none. */
export async function launchChromium() {
  const executablePath = findChromium()
  if (executablePath === undefined)
    throw new Error(
      `Expected Chromium at one of ${PLACES.join(', ')}, or in CHROMIUM: apt-get install --no-install-recommends chromium`
    )
  // Only here: npm test asks for Chromium before anything is installed.
  const { chromium } = await import('playwright-core')
  // Chromium's own sandbox refuses to run as root, as containers do.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
}
