import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/**
 * Seconds. Finest where an image of the embedded model and one of the published size are: what a bucket does not tell apart, no
 * alert can.
 */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600]

/** Makes the metrics of one registry. All names begin with the package's. */
export class Instruments {
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
  }

  counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ ...this.#common(name, help, labelNames) })
  }

  histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({ ...this.#common(name, help, labelNames), buckets: SECONDS })
  }

  gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ ...this.#common(name, help, labelNames) })
  }

  /** Read when somebody asks. What `read` does not set any more is gone. */
  reading(name: string, help: string, labelNames: string[], read: (set: SetFigure) => void | Promise<void>): void {
    new Gauge({
      ...this.#common(name, help, labelNames),
      async collect() {
        this.reset()
        await read((figure, labels = {}) => this.set(labels, figure))
      }
    })
  }

  /** As `reading`, for what only grows until its source begins anew. */
  counting(name: string, help: string, labelNames: string[], read: (set: SetFigure) => void | Promise<void>): void {
    new Counter({
      ...this.#common(name, help, labelNames),
      async collect() {
        this.reset()
        await read((figure, labels = {}) => this.inc(labels, figure))
      }
    })
  }

  #common(name: string, help: string, labelNames: string[]) {
    return { name: `wuerstchen_${name}`, help, labelNames, registers: [this.#registry] }
  }
}

export type SetFigure = (figure: number, labels?: Record<string, string>) => void
