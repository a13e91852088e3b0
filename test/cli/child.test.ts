import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { root } from '../support/small-model.js'

/** Whether a process is there and has not ended. */
function runs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z'
  } catch {
    return false
  }
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends a set-up with the programs that it waits for', async signal => {
  const folder = mkdtempSync(join(tmpdir(), 'wuerstchen-child-'))
  try {
    const copy = join(folder, 'package')
    for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(copy, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    mkdirSync(join(copy, 'scripts'))
    // As the set-up waits for a compiler: it hears no signal, and what follows tidies up.
    writeFileSync(
      join(copy, 'scripts', 'setup.mjs'),
      `import { spawnSync } from 'node:child_process'
       import { writeFileSync } from 'node:fs'
       process.on('SIGINT', () => {})
       spawnSync('sh', ['-c', 'echo $$ > ${folder}/new; mv ${folder}/new ${folder}/compiler; exec sleep 600'])
       writeFileSync('${folder}/tidied', '')
       process.exitCode = 1`
    )
    const child = spawn(process.execPath, [join(copy, 'dist', 'cli', 'main.js'), 'setup'], { stdio: 'ignore' })
    while (!existsSync(join(folder, 'compiler'))) await sleep(20)
    const compiler = Number(readFileSync(join(folder, 'compiler'), 'utf8'))
    expect(runs(compiler)).toBe(true)
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([130, null])
    expect(existsSync(join(folder, 'tidied'))).toBe(true)
    expect(runs(compiler)).toBe(false)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
