import type * as aws4fetch from 'aws4fetch'
import { WuerstchenError } from '../../errors.js'

/**
 * Loads packages that are optional: whoever runs one process installs none of them.
 * @param named the packages, in words, and what adds them
 * @throws WuerstchenError INVALID_ARGUMENT where one is missing
 */
export async function installed<T>(load: () => Promise<T>, named: { what: string; subject: string; add: string }): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    const { what, subject, add } = named
    throw new WuerstchenError('INVALID_ARGUMENT', `Expected ${what} not installed. npm install ${add}`, { subject, cause: error })
  }
}

/** @throws WuerstchenError INVALID_ARGUMENT where the package is missing */
export async function loadSigner(): Promise<typeof aws4fetch.AwsV4Signer> {
  const { AwsV4Signer } = await installed(() => import('aws4fetch'), {
    ...{ what: 'the package aws4fetch for results in s3:// but it is', subject: 'results', add: 'aws4fetch@1 adds it' }
  })
  return AwsV4Signer
}
