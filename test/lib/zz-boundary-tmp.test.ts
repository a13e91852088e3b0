import { test, expect } from 'vitest'
import { Pipeline, Tensor, Stage } from '/work/main/lib/index.js'
import { loadAddon } from '/work/main/lib/load/addon.js'
import { writeFile, mkdtemp } from 'node:fs/promises'
test('boundary', async () => {
  const native = loadAddon()
  const f: any = await native.loadStage({kind:'torchscript', file:'/tmp/none.pt', dtype:'float32', storage:'float32', functions:{}} as any,'cpu',1).catch(e=>e)
  console.log(f.constructor.name, f.code, f.subject, f.message.slice(0,80))
  try { native.createTensor(new Float32Array(2),[3],'float32') } catch (e:any) { console.log(e.code,e.subject) }
  try { native.tensorInfo({} as any) } catch (e:any) { console.log(e.code,e.subject) }
  const p: any = await Pipeline.load()
  const c = new AbortController()
  const r = p.generate({ prompt: 'a red heart', priorSteps: 200, signal: c.signal, onStep: () => c.abort(new Error('stop')) }).catch((e:any)=>e)
  console.log('abort', (await r).message)
  console.log(p.stats())
  // handle-level: submit + cancel
  await p.dispose()
})
