import { EngineError, type ErrorCode } from '../errors.js'
import { report } from './report.js'

/** How {@link forEach} goes about it. */
export interface EachOptions {
  readonly command: string
  readonly debug: boolean
  /** What is told all the same, but is no failure. */
  readonly forgiven?: ErrorCode | undefined
  /** None waits for another. */
  readonly atOnce?: boolean
}

/**
 * Does the same to each of several names, as docker does: one that fails does not keep the others from their turn, and the exit
 * code is 1 if any failed.
 */
export async function forEach(
  names: readonly string[],
  { command, debug, forgiven, atOnce = false }: EachOptions,
  action: (name: string) => Promise<void>,
): Promise<number> {
  let exitCode = 0
  const one = async (name: string) => {
    try {
      await action(name)
    } catch (error) {
      const code = report(error, { parser: null, command, debug })
      if (!(error instanceof EngineError) || error.code !== forgiven) exitCode = code
    }
  }
  if (atOnce) await Promise.all(names.map(one))
  else for (const name of names) await one(name)
  return exitCode
}
