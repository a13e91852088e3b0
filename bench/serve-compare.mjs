#!/usr/bin/env node
// node bench/serve-compare.mjs [--rounds 5] [--clients 1,4,16] [--output FILE]: pictures a second of `wuerstchen serve` beside a
// FastAPI server with diffusers (serve_peer.py): the same weights, prompts, sizes, steps, threads and machine, PNG in base64 out.
// Rounds are interleaved, and each ratio is of one round: another load on the machine falls on all. docs/verification.md explains it.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeModels } from './models.mjs'
import { python, pythonPath, root } from './places.mjs'
import { interrupted } from './process.mjs'
import { clientOf, closedLoop, quantile, start, startOurs, untilReady } from './serve-process.mjs'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1,4,16' },
    requests: { type: 'string', default: '16' },
    threads: { type: 'string', default: '2' },
    size: { type: 'string', default: '256x256' },
    'prior-steps': { type: 'string', default: '30' },
    'decoder-steps': { type: 'string', default: '12' },
    checkpoint: { type: 'string' },
    model: { type: 'string' },
    output: { type: 'string' }
  }
})
const threads = Number(flags.threads)
const PROMPTS = ['a red house by the sea', 'a green tree', 'a blue cat on a chair', 'two yellow birds']

const folder = await mkdtemp(join(tmpdir(), 'wuerstchen-serve-'))
const servers = []
try {
  console.error('making the models')
  // A checkpoint and what was exported from it, where they are there already.
  const { checkpoint, model } = flags.checkpoint && flags.model ? flags : await makeModels(join(root, 'models', 'tiny'), folder)
  const peer = providePeer()
  const peerOf = async flag => {
    const server = await start(peer, [join('bench', 'serve_peer.py'), checkpoint, '--threads', flags.threads, ...flag], {
      ...peerEnvironment(),
      OMP_NUM_THREADS: flags.threads
    })
    await untilReady(server)
    return server
  }
  const cases = {
    // Ours waits for nobody: whatever comes runs in one batch of up to eight.
    'wuerstchen serve': await startOurs(model, { threads }),
    'FastAPI + diffusers': await peerOf([]),
    'FastAPI + diffusers, equal prompts batched': await peerOf(['--batch', '8'])
  }
  servers.push(...Object.values(cases))
  const results = await compare(cases)
  if (flags.output !== undefined) await writeFile(flags.output, `${JSON.stringify(results, null, 1)}\n`)
  console.log(tableOf(results))
} catch (error) {
  if (!interrupted.signal.aborted) throw error
  process.exitCode = 130
} finally {
  for (const server of servers) await server.stop()
  await rm(folder, { recursive: true })
}

async function compare(cases) {
  const names = Object.keys(cases)
  const settings = flags.clients
    .split(',')
    .flatMap(clients => ['different prompts', 'one prompt'].map(prompts => ({ clients: Number(clients), prompts })))
  const samples = settings.map(() => Object.fromEntries(names.map(name => [name, []])))
  for (let round = -1; round < Number(flags.rounds); round++) {
    for (const [index, { clients, prompts }] of settings.entries()) {
      // Another case begins each round, so that none always follows the same neighbour.
      for (const name of [
        ...names.slice(Math.max(0, round) % names.length),
        ...names.slice(0, Math.max(0, round) % names.length)
      ]) {
        const client = clientOf(cases[name].url, clients)
        const count = round < 0 ? clients : Math.max(Number(flags.requests), clients)
        const latencies = []
        const { perSecond } = await closedLoop(clients, count, async k => {
          const { status, ms } = await client.post('/v1/images/generations', {
            prompt: prompts === 'one prompt' ? PROMPTS[0] : PROMPTS[k % PROMPTS.length],
            size: flags.size,
            seed: k,
            prior_steps: Number(flags['prior-steps']),
            decoder_steps: Number(flags['decoder-steps'])
          })
          if (status !== 200) throw new Error(`${name} answered ${status}`)
          latencies.push(ms)
        })
        client.close()
        // The first round warms everything up.
        if (round < 0) continue
        samples[index][name].push({ perSecond, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) })
        console.error(
          `round ${round + 1}/${flags.rounds}, ${clients} clients, ${prompts}: ${name} ${perSecond.toFixed(2)} pictures/s`
        )
      }
    }
  }
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0].model,
    cores: cpus().length,
    load: loadavg()[0],
    flags,
    settings: settings.map((setting, index) => ({ ...setting, samples: samples[index] }))
  }
}

function tableOf({ settings, flags: { size, rounds }, cpu, load }) {
  const names = Object.keys(settings[0].samples)
  const [ours, ...peers] = names
  const spread = values =>
    `${quantile(values, 0.5).toFixed(2)} [${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}]`
  const rows = settings.map(({ clients, prompts, samples }) => [
    clients,
    prompts,
    ...names.map(name => spread(samples[name].map(({ perSecond }) => perSecond))),
    ...peers.map(peer => `${spread(samples[ours].map(({ perSecond }, round) => perSecond / samples[peer][round].perSecond))}×`)
  ])
  const head = ['clients', 'prompts', ...names.map(name => `${name}, pictures/s`), ...peers.map(peer => `against ${peer}`)]
  return (
    `${cpu}, ${flags.threads} threads, ${size}, median and range of ${rounds} rounds, load average ${load.toFixed(1)}\n\n` +
    [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')
  )
}

/** An environment for FastAPI alone, below build/; torch and diffusers are those of the exporter's Python. */
function providePeer() {
  const venv = join(root, 'build', 'peer-venv')
  const interpreter = join(venv, 'bin', 'python')
  if (!existsSync(join(venv, 'bin', 'uvicorn'))) {
    execFileSync(python, ['-m', 'venv', venv], { stdio: 'inherit' })
    execFileSync(interpreter, ['-m', 'pip', 'install', '--quiet', '-r', join(root, 'scripts', 'requirements-peer.txt')], {
      stdio: 'inherit'
    })
  }
  return interpreter
}

function peerEnvironment() {
  const code = 'import torch, os; print(os.path.dirname(os.path.dirname(torch.__file__)))'
  return { PYTHONPATH: `${pythonPath}:${execFileSync(python, ['-c', code], { encoding: 'utf8' }).trim()}` }
}
