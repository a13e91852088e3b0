/**
 * A route of a Next.js application, app/api/images/route.ts, which makes images in its own process:
 *   fetch('/api/images', { method: 'POST', body: JSON.stringify({ prompt: 'a sailboat on a blue background' }) })
 * Next.js works without configuration; docs/frameworks.md has the lines for a standalone folder.
 */
import { Pipeline, WuerstchenError } from 'wuerstchen'

export const runtime = 'nodejs'

/** Loaded once. Where Next.js loads this file anew after a change, the model of before is kept. */
const kept = globalThis as typeof globalThis & { pipeline?: Promise<Pipeline> | undefined }

function loaded(): Promise<Pipeline> {
  return (kept.pipeline ??= Pipeline.load().catch((error: unknown) => {
    kept.pipeline = undefined // the next request tries again
    throw error
  }))
}

export async function POST(request: Request): Promise<Response> {
  const options = (await request.json().catch(() => ({}))) as { prompt?: unknown; seed?: unknown }
  try {
    const pipeline = await loaded()
    const { prompt, seed } = options as { prompt: string; seed?: number }
    // Whoever closes the page ends the work.
    const { images } = await pipeline.generate({ prompt, ...(seed === undefined ? {} : { seed }), signal: request.signal })
    const [image] = images
    return new Response(new Uint8Array(await image!.toBuffer('png')), { headers: { 'content-type': 'image/png' } })
  } catch (error) {
    if (!WuerstchenError.is(error, 'INVALID_ARGUMENT')) throw error
    return Response.json({ error: error.message }, { status: 400 })
  }
}
