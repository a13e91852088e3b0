import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'

/** Instruction sets that make a difference to LibTorch; the rest of a CPU's long list is left out. */
const TELLING = [
  'avx',
  'avx2',
  'fma',
  'f16c',
  'avx512f',
  'avx512_vnni',
  'avx512_bf16',
  'avx512_fp16',
  'avx_vnni',
  'amx_tile',
  'amx_bf16',
  'amx_fp16',
  'asimd',
  'asimdhp',
  'sve',
  'sve2',
  'bf16',
  'i8mm'
]

export interface Cpu {
  model: string
  cores: number
  features: string[]
}

export function cpu(): Cpu {
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readOr('/proc/cpuinfo', ''))?.[1]?.split(' ') ?? []
  return {
    model: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    features: TELLING.filter(name => flags.includes(name))
  }
}

/** The bytes of memory that this process may use: those of the machine, or the limit of its container. */
export function memoryBytes(): number {
  const limit = Number(readOr('/sys/fs/cgroup/memory.max', ''))
  return limit > 0 && limit < totalmem() ? limit : totalmem()
}

export interface Gpus {
  /** Name, memory and driver version, as the driver's own tool prints them. */
  found: string[]
  /** The reason why there is none, else empty. */
  reason: string
}

/** The NVIDIA GPUs that the driver sees. LibTorch may be able to use only some of them. */
export function gpus(): Gpus {
  const args = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']
  const { status, stdout, error } = spawnSync('nvidia-smi', args, { encoding: 'utf8', timeout: 10_000 })
  if (status === 0) return { found: stdout.trim().split('\n').filter(Boolean), reason: '' }
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    return { found: [], reason: 'no nvidia-smi, so no NVIDIA driver' }
  return { found: [], reason: `nvidia-smi failed: ${(stdout || error?.message || `exit code ${status}`).trim().split('\n')[0]}` }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return otherwise
  }
}
