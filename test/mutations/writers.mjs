/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const WRITE_FILE = 'test/files/write-file.test.ts'
const WRITERS = 'test/cli/writers.test.ts'

/** What is written, and where. @type {readonly Mutation[]} */
export const OUTPUTS = [
  {
    name: 'writer-waits-in-a-thread',
    file: 'lib/files/pour.ts',
    find: 'return await open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY)\n    } catch',
    replace: 'return await open(path, O_WRONLY | O_NOCTTY)\n    } catch',
    tests: [WRITE_FILE],
    why: 'a pipe without a reader would hold a thread, and the process at its end'
  },
  {
    name: 'writer-damages-on-a-full-disk',
    file: 'lib/files/pour.ts',
    find: 'await file.truncate(found.size)\n      throw error',
    replace: 'throw error',
    tests: [WRITE_FILE],
    why: 'what a mounted file held would have rubbish at its end'
  },
  {
    name: 'writer-forgets-the-mode',
    file: 'lib/files/write-file.ts',
    find: 'await setMode(file.fd, before.mode & 0o7777)',
    replace: 'await setMode(file.fd, 0o644)',
    tests: [WRITERS],
    why: 'everybody could read what was for few'
  },
  {
    name: 'writer-replaces-dangling-links',
    file: 'lib/files/target.ts',
    find: "path = link.startsWith('/') ? link : `${dirname(path)}/${link}`",
    replace: 'return { path }',
    tests: [WRITERS],
    why: 'a link would become a file, and its target stay away'
  },
  {
    name: 'writer-replaces-read-only',
    file: 'lib/files/target.ts',
    find: 'await access(path, W_OK)',
    replace: 'await access(path)',
    tests: [WRITERS],
    built: true,
    why: 'a protected file would be replaced because its folder allows it'
  },
  {
    name: 'no-clobber-checks-only-before',
    file: 'lib/files/write-file.ts',
    find: 'if (clobber) await rename(temporary, path)',
    replace: 'if (clobber || path !== temporary) await rename(temporary, path)',
    tests: [WRITE_FILE],
    why: 'a file that another process made in the meantime would be gone'
  },
  {
    name: 'writer-leaves-temporaries',
    file: 'lib/files/temporary.ts',
    find: 'await rm(path, { force: true }).catch(() => {})',
    replace: '',
    tests: [WRITE_FILE],
    why: 'every write that fails would leave a file'
  },
  {
    name: 'names-collide',
    file: 'lib/cli/output-names.ts',
    find: 'const free = firstFree(name, taken)',
    replace: 'const free = name',
    tests: ['test/cli/output-names.test.ts'],
    why: 'of two images with one name, the first would be lost'
  },
  {
    name: 'one-lost-all-lost',
    file: 'lib/cli/outputs.ts',
    find: 'process.exitCode = 1\n    report(error)',
    replace: 'throw error',
    tests: ['test/cli/generate.test.ts'],
    built: true,
    why: 'one image that cannot be written would take the others along'
  }
]
