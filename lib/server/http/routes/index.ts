import type { FastifyInstance } from 'fastify'
import type { Context } from '../../api/endpoint.js'
import { unknownModel } from '../../api/error.js'
import { fieldsOf } from '../../api/fields.js'
import { refused } from '../../jobs/failure.js'
import type { ModelFacts } from '../../models/model.js'
import type { Models } from '../../models/models.js'
import type { DocumentedRoute } from '../openapi.js'
import type { Metrics } from '../../observe/metrics.js'
import type { CheckedOptions } from '../../options.js'
import { ResultLinks } from '../result-links.js'
import { addEmbeddings } from './embeddings.js'
import { addHealth } from './health.js'
import { addImages } from './images.js'
import { addJobs } from './jobs.js'
import { addMetrics } from './metrics.js'
import { addModels } from './models.js'
import { addOpenapi } from './openapi.js'
import { addPage } from './page.js'
import { addResults } from './results.js'
import { addSdapi } from './sdapi.js'

/** Every route of the server. */
export async function addRoutes(app: FastifyInstance, options: CheckedOptions, metrics: Metrics): Promise<void> {
  const documented: DocumentedRoute[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.operation === undefined || method === 'HEAD') return
    const { auth, basic = false, operation } = config
    documented.push({ method: String(method), url, auth: auth!, basic, operation })
  })
  const { limits, models } = app.wuerstchen
  const fields = fieldsOf({
    limits,
    strict: options.strictOpenai,
    ...(models.changing ? {} : { known: { models: models.all, names: models.names } })
  })
  const links = new ResultLinks(options)
  const context: Context = { limits, model: name => foundModel(models, name ?? undefined) }
  addHealth(app, app.wuerstchen)
  addMetrics(app, metrics)
  addModels(app)
  addImages(app, fields, context, links)
  addEmbeddings(app, fields, context)
  addJobs(app, fields, context, links, options.webhooks?.allow)
  addResults(app, links)
  addSdapi(app, fields, context)
  addOpenapi(app, documented)
  if (options.page) await addPage(app)
}

/** @throws ApiError, WuerstchenError where models come and go, and the name was not checked with the rest of the request */
function foundModel(models: Models, name: string | undefined): ModelFacts {
  const found = models.find(name)
  if (found !== undefined) return found
  if (name === undefined) throw refused('worker')
  throw unknownModel('model')
}
