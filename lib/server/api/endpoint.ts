import type { z } from 'zod'
import type { ImageFormat } from '../../index.js'
import { settledSeed } from '../../options/seed.js'
import type { ReplyTerms, Work } from '../jobs/work.js'
import type { Limits } from '../limits.js'
import type { ModelFacts } from '../models/model.js'
import { ignoredOf, type WithoutEffect } from './ignored.js'
import { presetOf, repliedQuality, type QualityBody } from './quality.js'
import { sidesToSize, sizeError } from './size.js'

/** What translating a request needs to know. */
export interface Context {
  limits: Limits
  /** Finds a model by the name that a request gives; the schema has checked that there is one. */
  model(name: string | null | undefined): ModelFacts
}

/** What every request for work may say of itself. */
export interface WorkBody extends WithoutEffect, QualityBody {
  priority?: 'low' | 'normal' | 'high' | null | undefined
  timeout_seconds?: number | null | undefined
}

/** What every request for images may say of its reply. */
export interface ImageBody extends WorkBody {
  stream?: boolean | null | undefined
  output_format?: ImageFormat | null | undefined
  response_format?: 'b64_json' | 'url' | null | undefined
  /** The name that the request gave. */
  model?: string | null | undefined
}

/** One kind of request: what it may say, and the work that it stands for. */
export interface Endpoint<Body = unknown> {
  path: string
  summary: string
  schema: z.ZodType<Body>
  /** @throws ApiError for what only the model or the image can tell to be wrong */
  toWork(body: Body, context: Context): Work | Promise<Work>
}

/** Lets TypeScript infer the body of an endpoint from its schema, and has its work carry what was said of the reply. */
export function defineEndpoint<Schema extends z.ZodType<ImageBody>>(
  endpoint: { schema: Schema } & Endpoint<z.infer<Schema>>
): Endpoint<z.infer<Schema>> {
  return {
    ...endpoint,
    async toWork(body, context) {
      const preset = presetOf(body, context.model(body.model))
      const work = await endpoint.toWork(body, context)
      const reply = replyTerms(body, preset, context.limits)
      return (
        preset === undefined || preset === null ? { ...work, reply } : { ...work, options: { ...work.options, preset }, reply }
      ) as Work
    }
  }
}

/** OpenAI gives addresses for these models unless it is told otherwise, and who asks for them by name reads nothing else. */
const LINKED: ReadonlySet<string> = new Set(['dall-e-2', 'dall-e-3'])

function replyTerms(
  { model, stream, response_format: format, ...body }: ImageBody,
  preset: ReturnType<typeof presetOf>,
  limits: Limits
): ReplyTerms {
  const linked = LINKED.has(model ?? '') && stream !== true && keepsResults(limits)
  return {
    links: format === 'url' || (linked && (format ?? null) === null),
    ignored: [...(preset === null ? ['quality'] : []), ...ignoredOf(body)],
    quality: repliedQuality(body, preset)
  }
}

/** A server that keeps no results has nothing that an address could lead to. */
export function keepsResults({ maxKeptJobs, maxKeptBytes }: Pick<Limits, 'maxKeptJobs' | 'maxKeptBytes'>): boolean {
  return maxKeptJobs > 0 && maxKeptBytes > 0
}

/** Null and undefined both mean that a field was left out; the library knows undefined alone. */
export function given<T extends object>(fields: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as {
    [Key in keyof T]?: NonNullable<T[Key]>
  }
}

/** Width and height of a request; none where the model is to choose. */
export function sizeOf(size: string | null | undefined, model: ModelFacts): { width?: number; height?: number } {
  if (size === undefined || size === null || size === 'auto') return {}
  const sides = sidesToSize(size, model.sides)
  // Another model of this server may be able to make it.
  if (sides === undefined) throw sizeError(size, model)
  return sides
}

export interface Seeds {
  seed?: number | null | undefined
  seeds?: number[] | null | undefined
}

/** The seeds of a request, with a number where it says -1. A seed that was left out is drawn by the library. */
export function seedsOf({ seed, seeds }: Seeds): { seed?: number; seeds?: number[] } {
  return {
    ...(seed === undefined || seed === null ? {} : { seed: settledSeed(seed) }),
    ...(seeds === undefined || seeds === null ? {} : { seeds: seeds.map(settledSeed) })
  }
}

/** How many images a request asks for. */
export function countOf({ n, seeds }: Seeds & { n?: number | null | undefined }): number {
  return seeds?.length ?? n ?? 1
}

/** How finished images are to be written. */
export function fileOf({
  output_format,
  output_compression
}: {
  output_format?: ImageFormat | null | undefined
  output_compression?: number | null | undefined
}) {
  // sharp counts from 1, OpenAI from 0.
  const quality =
    output_compression === undefined || output_compression === null ? {} : { quality: Math.max(1, output_compression) }
  return { format: output_format ?? 'png', ...quality }
}
