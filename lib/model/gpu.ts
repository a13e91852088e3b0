/**
 * Whether machine code for one compute capability runs on another. NVIDIA's CUDA C++ Programming Guide, "Binary Compatibility":
 * it runs on GPUs of the same major and the same or a newer minor version, so code for 8.0 runs on 8.6 and 8.9. From 9.0 on
 * Triton compiles for `sm_90a`, `sm_100a` and so on, which run on that one architecture ("Architecture-Specific Features").
 * scripts/wuerstchen_export/cross/gpus.py has the same rule.
 */
export function runsOnGpu(madeFor: string, here: string): boolean {
  const [[major, minor], [ownMajor, ownMinor]] = [capabilityOf(madeFor), capabilityOf(here)]
  return major === ownMajor && (major < 9 ? minor <= ownMinor : minor === ownMinor)
}

/** Major and minor number; NaN, which fits nothing, for what is no compute capability. */
export function capabilityOf(architecture: string): [number, number] {
  const match = /^(\d{1,3})\.(\d)$/.exec(architecture)
  return [Number(match?.[1] ?? NaN), Number(match?.[2] ?? NaN)]
}
