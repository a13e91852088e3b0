/**
 * Autoscaling as deploy/queue/scaled-object.yaml asks of KEDA and Kubernetes: every pollSeconds, so many workers that each has
 * `targetSeconds` of the signal; fewer only when that has held for `calmSeconds`.
 * @typedef {object} Scaling
 * @property {'waiting' | 'waiting and running'} signal seconds of one worker: `waiting` is wuerstchen_queue_picture_seconds
 * @property {number} targetSeconds
 * @property {number} least
 * @property {number} most
 * @property {number} pollSeconds
 * @property {number} startUpSeconds from the wish for a machine until it takes work: machine, image, model, warm-up
 * @property {number} calmSeconds the stabilization window of Kubernetes, by default 300
 */

export class Scaler {
  #scaling
  /** @type {{ at: number, wanted: number }[]} */
  #wishes = []

  /** @param {Scaling} scaling */
  constructor(scaling) {
    this.#scaling = scaling
  }

  /** @param {number} now @param {number} waiting seconds of one worker @param {number} running the same */
  wanted(now, waiting, running) {
    const { signal, targetSeconds, least, most, calmSeconds } = this.#scaling
    const load = signal === 'waiting' ? waiting : waiting + running
    const wanted = Math.min(most, Math.max(least, Math.ceil(load / targetSeconds)))
    this.#wishes.push({ at: now, wanted })
    while (/** @type {{ at: number }} */ (this.#wishes[0]).at < now - calmSeconds) this.#wishes.shift()
    return Math.max(...this.#wishes.map(wish => wish.wanted))
  }
}
