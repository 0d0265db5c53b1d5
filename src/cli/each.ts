import { EngineError, type ErrorCode } from '../errors.js'
import { report } from './report.js'

/**
 * Does the same to each of several names, as docker does: one that fails does not keep the others from their turn, and the exit
 * code is 1 if any failed. A failure with the code `forgiven` is told all the same, but is none.
 */
export async function forEach(
  names: readonly string[],
  { command, debug, forgiven }: { readonly command: string; readonly debug: boolean; readonly forgiven?: ErrorCode | undefined },
  action: (name: string) => Promise<void>,
): Promise<number> {
  let exitCode = 0
  for (const name of names) {
    try {
      await action(name)
    } catch (error) {
      const code = report(error, { parser: null, command, debug })
      if (!(error instanceof EngineError) || error.code !== forgiven) exitCode = code
    }
  }
  return exitCode
}
