/**
 * The time a sandbox has until its guest can run. Compiling takes as long as the module's author wants, and then not one instruction has
 * run that `--timeout` could stop; on the other hand a host that is slow to start a process is not the guest's fault.
 */
import { EngineError } from '../errors.js'

const LEAST_MS = 10_000
const MOST_MS = 60_000

/** As long as the run may take, within ten seconds and a minute. */
export function preparationMs(timeoutMs: number | null): number {
  return Math.min(Math.max(timeoutMs ?? MOST_MS, LEAST_MS), MOST_MS)
}

/** What `ready` gives, if it does in time. Rejects with LIMIT_EXCEEDED. */
export async function within<Ready>(ready: Promise<Ready>, limitMs: number): Promise<Ready> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const error = new EngineError('LIMIT_EXCEEDED', `the program could not be made ready to run within ${limitMs} ms`, {
      hint: 'Its module takes too long to compile, or the host is very busy.',
      data: { limitMs },
    })
    timer = setTimeout(() => reject(error), limitMs)
  })
  try {
    return await Promise.race([ready, late])
  } finally {
    clearTimeout(timer)
  }
}
