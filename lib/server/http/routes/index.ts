import type { FastifyInstance } from 'fastify'
import type { Context } from '../../api/endpoint.js'
import { fieldsOf } from '../../api/fields.js'
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
  const fields = fieldsOf({ limits, models: models.all, names: models.names, strict: options.strictOpenai })
  const links = new ResultLinks(options)
  const context: Context = { limits, model: name => models.find(name ?? undefined)! }
  addHealth(app)
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
