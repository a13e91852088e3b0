#!/usr/bin/env node
// node bench/serve-compare.mjs [--rounds 5] [--clients 1,4,16] [--output FILE]: pictures a second of `wuerstchen serve` beside a
// FastAPI server with diffusers (serve_peer.py): the same weights, prompts, sizes, steps, threads and machine, PNG in base64 out.
// Rounds are interleaved, and each ratio is of one round: another load on the machine falls on all.
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
/** @import { Server } from './serve-process.mjs' */

/**
 * @typedef {{ perSecond: number, p50: number, p99: number }} Sample
 * @typedef {{ clients: number, prompts: string, samples: Record<string, Sample[]> }} Setting
 * @typedef {{ date: string, cpu: string | undefined, cores: number, load: number | undefined, flags: typeof flags, settings:
 *   Setting[] }} Results
 */

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
const OURS = 'wuerstchen serve'
const PEER = 'FastAPI + diffusers'
const BATCHING_PEER = 'FastAPI + diffusers, equal prompts batched'
const CASES = [OURS, PEER, BATCHING_PEER]
const threads = Number(flags.threads)
const PROMPTS = ['a red house by the sea', 'a green tree', 'a blue cat on a chair', 'two yellow birds']

const folder = await mkdtemp(join(tmpdir(), 'wuerstchen-serve-'))
/** @type {Server[]} */
const servers = []
try {
  console.error('making the models')
  // A checkpoint and what was exported from it, where they are there already.
  const { checkpoint, model } =
    flags.checkpoint && flags.model
      ? { checkpoint: flags.checkpoint, model: flags.model }
      : await makeModels(join(root, 'models', 'tiny'), folder)
  const peer = providePeer()
  /** @param {string[]} flag */
  const peerOf = async flag => {
    const server = await start(peer, [join('bench', 'serve_peer.py'), checkpoint, '--threads', flags.threads, ...flag], {
      ...peerEnvironment(),
      OMP_NUM_THREADS: flags.threads
    })
    await untilReady(server)
    return server
  }
  /** @type {Record<string, Server>} */
  const cases = {
    // Ours waits for nobody: whatever comes runs in one batch of up to eight.
    [OURS]: await startOurs(model, { threads }),
    [PEER]: await peerOf([]),
    [BATCHING_PEER]: await peerOf(['--batch', '8'])
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

/**
 * @param {Record<string, Server>} cases
 * @returns {Promise<Results>}
 */
async function compare(cases) {
  const all = Object.entries(cases)
  /** @type {Setting[]} */
  const settings = flags.clients
    .split(',')
    .flatMap(clients => ['different prompts', 'one prompt'].map(prompts => ({ clients: Number(clients), prompts, samples: {} })))
  for (let round = -1; round < Number(flags.rounds); round++) {
    for (const { clients, prompts, samples } of settings) {
      // Another case begins each round, so that none always follows the same neighbour.
      const first = Math.max(0, round) % all.length
      for (const [name, { url }] of [...all.slice(first), ...all.slice(0, first)]) {
        const client = clientOf(url, clients)
        const count = round < 0 ? clients : Math.max(Number(flags.requests), clients)
        /** @type {number[]} */
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
        const sample = { perSecond, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
        samples[name] = [...(samples[name] ?? []), sample]
        console.error(
          `round ${round + 1}/${flags.rounds}, ${clients} clients, ${prompts}: ${name} ${perSecond.toFixed(2)} pictures/s`
        )
      }
    }
  }
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    load: loadavg()[0],
    flags,
    settings
  }
}

/** @param {Results} results */
function tableOf({ settings, flags: { size, rounds }, cpu, load }) {
  const peers = [PEER, BATCHING_PEER]
  /** @param {Sample[]} [rounds] */
  const rates = (rounds = []) => rounds.map(({ perSecond }) => perSecond)
  /** @param {number[]} values */
  const spread = values =>
    `${quantile(values, 0.5).toFixed(2)} [${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}]`
  const rows = settings.map(({ clients, prompts, samples }) => [
    clients,
    prompts,
    ...CASES.map(name => spread(rates(samples[name]))),
    ...peers.map(peer => `${spread(rates(samples[OURS]).map((rate, round) => rate / (rates(samples[peer])[round] ?? NaN)))}×`)
  ])
  const head = ['clients', 'prompts', ...CASES.map(name => `${name}, pictures/s`), ...peers.map(peer => `against ${peer}`)]
  return (
    `${cpu}, ${flags.threads} threads, ${size}, median and range of ${rounds} rounds, load average ${load?.toFixed(1)}\n\n` +
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
