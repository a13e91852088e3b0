import { atLeast } from '../install/version.mjs'
import type { Report } from './report.js'

export interface Problem {
  what: string
  fixes: string[]
}

/** What keeps this machine from making images, each cause before its consequences. It is empty if nothing is wrong. */
export function problems(report: Report): Problem[] {
  return [nodeProblem(report), addonProblem(report), modelProblem(report), sharpProblem(report)].filter(
    problem => problem !== undefined
  )
}

function nodeProblem({ node }: Report): Problem | undefined {
  const major = Number.parseInt(node, 10)
  const fits = major === 20 ? atLeast(node, '20.19.0') : major >= 22 && atLeast(node, '22.14.0')
  return fits
    ? undefined
    : { what: `Node ${node} is not supported.`, fixes: ['Install Node 20.19 or newer of its line, 22.14 or newer, or 24.'] }
}

function addonProblem({ addon }: Report): Problem | undefined {
  return addon.diagnosis === null ? undefined : { what: addon.diagnosis.what, fixes: addon.diagnosis.fixes }
}

function modelProblem({ model }: Report): Problem | undefined {
  if (model.error === null) return undefined
  return {
    what: model.error,
    fixes: [
      'Name a model directory with --model DIR or the variable WUERSTCHEN_MODEL.',
      'Make one from a published checkpoint: "npx wuerstchen export --help".'
    ]
  }
}

function sharpProblem({ sharp }: Report): Problem | undefined {
  if (!('error' in sharp)) return undefined
  return {
    what: `sharp, which writes the images, cannot be loaded: ${sharp.error}`,
    fixes: ['Install it for this platform: npm install --include=optional sharp']
  }
}
