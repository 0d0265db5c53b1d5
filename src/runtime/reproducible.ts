import { EngineError } from '../errors.js'
import type { ContainerSpec } from './spec.js'

/** Refuses, by name, a run that is to be the same each time behind a wall that cannot make it so. */
export function assertNotReproducible({ deterministic, recording }: ContainerSpec, wall: string): void {
  const flag =
    deterministic !== undefined ? '--deterministic' : recording === undefined ? null : recording.mode === 'record' ? '--record' : 'replay'
  if (flag === null) return
  throw new EngineError('UNSUPPORTED_BY_HOST', `${flag}: the ${wall} wall cannot hold what a program learns from processor and kernel`, {
    hint: 'Use --runtime wasm with a Wasm image.',
    data: { flag },
  })
}
