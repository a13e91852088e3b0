import { invalid, WuerstchenError } from '../errors.js'
import type { RuntimeInfo } from '../native.js'
import { expectInteger } from '../options/is.js'

const DOCTOR = '"npx wuerstchen doctor" says what was found'
const CUDA_BUILD = 'Set WUERSTCHEN_LIBTORCH to a LibTorch with CUDA (docs/install.md#cuda)'
const DEVICE = /^(cpu|cuda|cuda:(\d{1,3}))$/

/** @throws WuerstchenError INVALID_ARGUMENT for what can be the name of no device, on whatever machine */
export function expectDeviceName(name: string, device: string): void {
  if (device !== 'auto' && !DEVICE.test(device)) throw invalid(name, 'auto, cpu, cuda or cuda:<index>', device)
}

/**
 * A device by its full name (`cpu`, `cuda:0`). It has been checked that it can be used.
 * @throws WuerstchenError INVALID_ARGUMENT, DEVICE_UNAVAILABLE (with what was found)
 */
export function resolveDevice(name: string, device: unknown, runtime: RuntimeInfo): string {
  const match = typeof device === 'string' ? DEVICE.exec(device) : null
  if (match === null) throw invalid(name, 'cpu, cuda or cuda:<index>', device)
  if (device === 'cpu') return 'cpu'
  const { cuda } = runtime
  if (!cuda.available)
    throw unavailable(
      name,
      match[0],
      `${cuda.reason || 'CUDA is not available'} (LibTorch ${runtime.torchVersion}). ${cuda.built ? DOCTOR : CUDA_BUILD}`
    )
  const index = Number(match[2] ?? 0)
  if (index >= cuda.devices) throw unavailable(name, match[0], `this machine has ${cuda.devices} CUDA devices`)
  return `cuda:${index}`
}

function unavailable(name: string, device: string, found: string): WuerstchenError {
  return new WuerstchenError(
    'DEVICE_UNAVAILABLE',
    `Expected a device that can be used for ${name} but received ${device}: ${found}`,
    { subject: name }
  )
}

export function kindOf(device: string): 'cpu' | 'cuda' {
  return device === 'cpu' ? 'cpu' : 'cuda'
}

/** What an artefact has to fit, on a device of this machine. */
export function machineOf(device: string, runtime: RuntimeInfo) {
  const { cpuCapability, torchVersion: torch } = runtime
  return { device: kindOf(device), cpuCapability, gpuArch: gpuArchOf(device, runtime), torch }
}

/** Compute capability of a GPU, as in `9.0`; undefined for the CPU, and if the driver does not report it. */
export function gpuArchOf(device: string, { cuda }: RuntimeInfo): string | undefined {
  return device === 'cpu' ? undefined : cuda.architectures[Number(device.slice('cuda:'.length))] || undefined
}

/** WUERSTCHEN_THREADS, else what LibTorch would use. */
export function defaultThreads(runtime: RuntimeInfo): number {
  return environmentThreads() ?? runtime.threads
}

/** @throws WuerstchenError INVALID_ARGUMENT */
export function environmentThreads(): number | undefined {
  const text = process.env['WUERSTCHEN_THREADS']
  return text === undefined || text === '' ? undefined : expectInteger('WUERSTCHEN_THREADS', Number(text), 1, 1024)
}
