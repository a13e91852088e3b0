import { python } from './places.mjs'
import { runText } from './process.mjs'
/** @import { PythonVersions } from './report.mjs' */

const PROGRAM = `
import json, platform, torch, diffusers, transformers
packages = {package.__name__: package.__version__ for package in (torch, diffusers, transformers)}
print(json.dumps({"python": platform.python_version(), **packages}))`

/** @returns {Promise<PythonVersions>} */
export async function pythonVersions() {
  return JSON.parse(await runText(python, ['-c', PROGRAM]))
}
