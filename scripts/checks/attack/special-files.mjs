import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
/** @import { Random } from './random.mjs' */

const KINDS = [
  'pipe',
  'device',
  'socket',
  'directory',
  'link in',
  'link out',
  'link to itself',
  'link to nothing',
  'link to zeros'
]

/**
 * Puts something else than a plain file where a file of a model directory was.
 * @param {Random} random @param {string} directory @param {string} name
 * @returns {string} what it is now
 */
export function addSpecialFile(random, directory, name) {
  const file = join(directory, name)
  const kind = random.pick(KINDS)
  const bytes = readFileSync(file)
  rmSync(file)
  switch (kind) {
    case 'pipe':
      execFileSync('mkfifo', [file])
      break
    case 'device':
      // Only root may make one; a link to one is the same to whoever opens it.
      if (process.getuid?.() === 0) execFileSync('mknod', [file, 'c', '1', '5'])
      else symlinkSync('/dev/zero', file)
      break
    case 'socket':
      makeSocket(file)
      break
    case 'directory':
      mkdirSync(file)
      break
    case 'link in': {
      const inside = `${file}.real`
      writeFileSync(inside, bytes)
      symlinkSync(relative(dirname(file), inside), file)
      break
    }
    case 'link out': {
      const outside = `${directory}.out`
      writeFileSync(outside, bytes)
      symlinkSync(outside, file)
      break
    }
    case 'link to itself':
      symlinkSync(file, file)
      break
    case 'link to nothing':
      symlinkSync('nothing', file)
      break
    default:
      symlinkSync('/dev/zero', file)
  }
  return `${name} is a ${kind}`
}

/** A socket that nobody listens at: its server is gone, and its name was moved away before that. @param {string} file */
function makeSocket(file) {
  // The names of sockets are short, so it is made elsewhere.
  const script = `const { createServer } = require('node:net'); const { renameSync } = require('node:fs')
    createServer().listen(process.argv[1] + '.s', () => { renameSync(process.argv[1] + '.s', process.argv[1]); process.exit() })`
  execFileSync(process.execPath, ['-e', script, file.length > 90 ? relative(process.cwd(), file) : file])
}
