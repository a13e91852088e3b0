import { SetupError } from './error.mjs'
import { atLeast } from '../../lib/install/version.mjs'

const oldestNode = { 20: '20.19.0', 22: '22.14.0' }

/** Refuses, with an explanation, a machine on which a later step would fail. */
export function checkPlatform({ platform, arch, versions } = process) {
  const major = Number.parseInt(versions.node, 10)
  const oldest = oldestNode[/** @type {20 | 22} */ (major)]
  if (major < 20 || major === 21 || (oldest && !atLeast(versions.node, oldest))) {
    throw new SetupError(`Node ${versions.node} is too old.`, ['Install Node 20.19 or newer of its line, 22.14 or newer, or 24.'])
  }
  if (platform !== 'linux' || !['x64', 'arm64'].includes(arch)) {
    throw new SetupError(`Expected Linux on x64 or arm64 but this is ${platform} on ${arch}.`, [
      'On Windows: use WSL.',
      'On macOS: use a Linux virtual machine or container.'
    ])
  }
}
