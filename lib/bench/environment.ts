import { loadavg } from 'node:os'
import { cpu, defaultThreads, javascriptRuntimeName, loadAddon, memoryBytes, type Cpu } from '../internal.js'
import { VERSION } from '../version.js'

/** What two files must have in common before their figures can be compared. */
export interface Environment {
  platform: string
  cpu: Cpu
  memoryBytes: number
  /** The average number of processes that wanted a core in the minute before. Above 0, the machine was not idle. */
  loadAverage: number
  node: string
  /** Node, Bun or Deno, with the version. */
  javascript: string
  wuerstchen: string
  torch: string
  /** The instruction set that LibTorch uses: DEFAULT, AVX2, AVX512, AMX. */
  cpuCapability: string
  /** Threads within an operation. */
  threads: number
}

export function environmentOf(threads: number | undefined): Environment {
  const runtime = loadAddon().runtimeInfo()
  return {
    platform: `${process.platform} ${process.arch}`,
    cpu: cpu(),
    memoryBytes: memoryBytes(),
    loadAverage: loadavg()[0]!,
    node: process.versions.node,
    javascript: javascriptRuntimeName(),
    wuerstchen: VERSION,
    torch: runtime.torchVersion,
    cpuCapability: runtime.cpuCapability,
    threads: threads ?? defaultThreads(runtime)
  }
}
