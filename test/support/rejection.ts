import * as assert from 'uvu/assert'
import { EngineError, type ErrorCode } from '../../src/errors.js'

/** The error that a promise rejects with, which must have this code. */
export async function rejection(promise: Promise<unknown>, code: ErrorCode): Promise<EngineError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  assert.instance(error, EngineError, `nothing was wrong, where ${code} was expected`)
  assert.is((error as EngineError).code, code, String(error))
  return error as EngineError
}
