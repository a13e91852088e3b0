/** Types of what `lib/` uses of version.mjs. */
export const torchVersion: string
export function minorOf(version: string): string
export function atLeast(version: string, least: string): boolean
