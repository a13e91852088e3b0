/** Several servers may have their pages below one origin, which shares what a browser keeps among them. */
const { pathname } = new URL('.', document.baseURI)

/** A name in the browser's stores that belongs to this server's page alone. */
export function scoped(name: string): string {
  return pathname === '/' ? name : `${name} ${pathname}`
}
