import { EngineError } from '../../errors.js'
import type { Snapshot } from '../../wasm/sandbox/snapshot.js'
import type { InstanceParts } from './call-server.js'
import { type Asked, Instance } from './instance.js'

/** Nobody has asked for anything yet, and an answer would be frozen in. */
const NOBODY: Asked = {
  ask() {
    throw new EngineError('NOT_BUILT', 'a host function cannot be called while the snapshot is taken', {
      hint: 'Call it in a function that is called later, or load the plugin without snapshot.',
    })
  },
}

/** Makes one instance, has it initialise itself, and gives what it has become. Throws whatever ends it, as the failure of a call. */
export function takeSnapshot(parts: InstanceParts, init: string | null): Snapshot {
  const { state } = parts
  if (state === null) throw new EngineError('INTERNAL', 'the module was not made ready for a snapshot')
  const given = { args: ['plugin'], input: new Uint8Array(), output: null, fuel: Number.MAX_SAFE_INTEGER }
  const instance = new Instance(parts, NOBODY, given)
  try {
    return instance.openForSnapshot(state, init)
  } catch (error) {
    throw instance.failureOf(error, { function: init ?? '_initialize' })
  }
}
