/** @typedef {import('../mutations.mjs').Mutation} Mutation */

const PULL = 'test/export/test_pull.py'
const EXPORT = 'test/export/test_pull_export.py'
const HUB = 'scripts/wuerstchen_export/hub'

/** Pulls. @type {readonly Mutation[]} */
export const PULLS = [
  {
    name: 'pull-without-hash',
    file: `${HUB}/listing.py`,
    find: 'return digest.hexdigest() == remote.hash',
    replace: 'return True',
    tests: [PULL],
    why: 'a file that is not what the hub lists is refused'
  },
  {
    name: 'pull-from-the-beginning',
    file: `${HUB}/fetch.py`,
    find: 'size = partial.stat().st_size if partial.is_file() else 0',
    replace: 'partial.unlink(missing_ok=True); size = 0',
    tests: [PULL],
    why: 'gigabytes that have come are not fetched again after an interruption'
  },
  {
    name: 'pull-range-believed',
    file: `${HUB}/fetch.py`,
    find: 'if start and not given.startswith(f"bytes {start}-"):',
    replace: 'if False:',
    tests: [PULL],
    why: 'a server without ranges sends the file from its beginning'
  },
  {
    name: 'pull-again-and-again',
    file: `${HUB}/fetch.py`,
    find: 'for again in (False, True):',
    replace: 'for again in (False, False, True):',
    tests: [PULL],
    why: 'a mirror that changes files does not cost gigabytes three times'
  },
  {
    name: 'pull-of-every-form',
    file: `${HUB}/needed.py`,
    find: 'return [name for name in dict.fromkeys(wanted) if name in names]',
    replace: 'return list(names)',
    tests: [PULL],
    why: 'weights come in one form, and nothing comes that is not read'
  },
  {
    name: 'pull-into-the-place',
    file: `${HUB}/pull.py`,
    find: 'if not is_running(stale.name.rpartition("-")[2]):',
    replace: 'if False:',
    tests: [PULL],
    why: 'what a killed pull left is removed'
  },
  {
    name: 'pull-room-not-looked-at',
    file: `${HUB}/space.py`,
    find: 'if total > free:',
    replace: 'if False:',
    tests: [PULL],
    why: 'a disk that is too small is known before hours of fetching'
  },
  {
    name: 'origin-of-changed-files',
    file: `${HUB}/origin.py`,
    find: 'return fits(file, RemoteFile(entry["size"], str(entry["hash"])))',
    replace: 'return True',
    tests: [EXPORT],
    why: 'weights that were changed are not said to be from a repository'
  },
  {
    name: 'origin-lost-when-extended',
    file: 'scripts/wuerstchen_export/manifest.py',
    find: 'stages[name] = {**origin, **stage,',
    replace: 'stages[name] = {**stage,',
    tests: [EXPORT],
    why: 'an origin that is known stays known when programs are added'
  },
  {
    name: 'interrupt-not-passed-on',
    file: 'lib/cli/child.ts',
    find: 'else child.kill(signal)',
    replace: 'else void child',
    tests: ['test/cli/pull.test.ts'],
    built: true,
    why: 'a `kill` of the command line ends the fetching too'
  }
]
