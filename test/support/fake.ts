import { afterEach, beforeEach, vi } from 'vitest'
import { FakeNative } from './fake-native.js'

/** The addon that lib/ gets in a test file that mocks `lib/load/addon.js` with it. It is new before every test. */
export let fake: FakeNative

export function useFakeNative(): void {
  beforeEach(() => {
    fake = new FakeNative()
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
}

/** Waits until every promise that can settle has settled. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}
