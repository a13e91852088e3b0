// A thread that asks for an address again and again, and on a message tells how long each reply took. It is for
// serve-hostile.mjs, whose own event loop is busy with what it sends.
import { Agent, get } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const agent = new Agent({ keepAlive: true, maxSockets: 1 })
/** @type {number[]} */
let times = []
let [wanted, failed] = [0, '']

/** A few more than asked for are taken into account, because a long one may be under way. */
parentPort?.on('message', (/** @type {number} */ least) => {
  wanted = times.length < least ? least : times.length + 1
})

for (;;) {
  const begin = performance.now()
  await new Promise(resolve => {
    get(String(workerData), { agent }, reply => {
      if (reply.statusCode !== 200) failed = `${workerData} says ${reply.statusCode}`
      reply.resume().on('end', resolve)
    }).on('error', error => {
      failed = String(error)
      setTimeout(resolve, 100)
    })
  })
  times.push(performance.now() - begin)
  await new Promise(resolve => setTimeout(resolve, 5))
  if (wanted > 0 && times.length >= wanted) {
    parentPort?.postMessage({ times, failed })
    times = []
    wanted = 0
    failed = ''
  }
}
