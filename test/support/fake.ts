import { afterEach, beforeEach, vi } from 'vitest'
import { FakeNative } from './fake-native.js'

/** The addon that lib/ sees in a test file which mocks `lib/load/addon.js` with it; new before every test. */
export let fake: FakeNative

export function useFakeNative(): void {
  beforeEach(() => {
    fake = new FakeNative()
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
}

/** Lets every promise that can settle do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}
