import type { Engine } from '../src/index.js'
import { require } from './unavailable.js'

/** Rejects with Unavailable, and the reason, where a wall does not stand. */
export async function requireWall(engine: Engine, wall: 'native' | 'wasm'): Promise<void> {
  const reason = (await engine.doctor()).runtimes[wall]
  require(reason === null, `the ${wall} wall: ${reason ?? 'not built yet'}`)
}
