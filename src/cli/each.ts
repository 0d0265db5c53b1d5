import { report } from './report.js'

/**
 * Does the same to each of several names, as docker does: one that fails does not keep the others from their turn, and the exit
 * code is 1 if any failed.
 */
export async function forEach(
  names: readonly string[],
  { command, debug }: { readonly command: string; readonly debug: boolean },
  action: (name: string) => Promise<void>,
): Promise<number> {
  let exitCode = 0
  for (const name of names) {
    try {
      await action(name)
    } catch (error) {
      exitCode = report(error, { parser: null, command, debug })
    }
  }
  return exitCode
}
