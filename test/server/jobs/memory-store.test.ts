import { MemoryStore } from '../../../lib/server/jobs/memory-store.js'
import { describeStore } from './store-behaviour.js'

describeStore('a store in the memory of this process', (limits, observers) => new MemoryStore(limits, observers))
