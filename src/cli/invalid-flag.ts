import { EngineError } from '../errors.js'

/** `value` is none that `flag` takes: in docker's words, with the reason, and as a hint what to type instead. */
export function invalidFlag(value: string, flag: string, why: string, hint?: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid argument "${value}" for "${flag}" flag: ${why}`, {
    data: { flag, value },
    ...(hint === undefined ? {} : { hint }),
  })
}
