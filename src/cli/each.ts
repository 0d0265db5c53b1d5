import { report } from './report.js'

/**
 * Does the same to each of several names, as docker does: one that fails does not keep the others from their turn, and the exit
 * code is 1 if any failed.
 */
export async function forEach(command: string, names: readonly string[], action: (name: string) => Promise<void>): Promise<number> {
  let exitCode = 0
  for (const name of names) {
    try {
      await action(name)
    } catch (error) {
      exitCode = report(error, { parser: null, command, debug: false })
    }
  }
  return exitCode
}
