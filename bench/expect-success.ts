import type { DriverRun } from './driver.js'

/** Milliseconds of a run that did what it should; a run that failed has no figure. */
export function expectSuccess(run: DriverRun): number {
  if (run.exitCode !== 0) throw new Error(`ended with ${run.exitCode}`)
  return run.durationMs
}
