import type { ExitStatus } from '../runtime/exit.js'
import type { ContainerRecord } from './record.js'

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 60_000
/** One that has run so long is taken to have worked. */
const SOUND_MS = 10_000

/** Whether a container that has ended is to be started again, by docker's rules. */
export function shouldRestart({ settings: { restart }, stopRequested, restartCount }: ContainerRecord, { exitCode }: ExitStatus): boolean {
  if (stopRequested) return false
  switch (restart.name) {
    case 'no':
      return false
    case 'on-failure':
      return exitCode !== 0 && (restart.maximumRetryCount === 0 || restartCount < restart.maximumRetryCount)
    case 'always':
    case 'unless-stopped':
      return true
  }
}

/** Milliseconds before that: twice as long each time, from the beginning once it has run for a while. `failures` is how often in a row it has not. */
export function restartDelayMs(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures, 20), LONGEST_DELAY_MS)
}

/** Whether a run was long enough to count as one that worked. */
export function ranSoundly({ durationMs }: ExitStatus): boolean {
  return durationMs >= SOUND_MS
}
