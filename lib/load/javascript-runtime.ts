/** What runs this code. `process.versions.node` does not tell: Bun and Deno have it too, for the Node that they follow. */
export interface JavaScriptRuntime {
  name: 'Node' | 'Bun' | 'Deno'
  version: string
}

export function javascriptRuntime(versions: Record<string, string | undefined> = process.versions): JavaScriptRuntime {
  if (versions['bun'] !== undefined) return { name: 'Bun', version: versions['bun'] }
  if (versions['deno'] !== undefined) return { name: 'Deno', version: versions['deno'] }
  return { name: 'Node', version: versions['node'] ?? 'of an unknown version' }
}

/** For people, such as `Node 20.20.2`. */
export function javascriptRuntimeName(): string {
  const { name, version } = javascriptRuntime()
  return `${name} ${version}`
}
