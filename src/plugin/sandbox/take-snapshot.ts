import { EngineError } from '../../errors.js'
import { unkept } from '../../wasm/instrument/reveal.js'
import type { Snapshot } from '../../wasm/sandbox/snapshot.js'
import type { InstanceParts } from './call-server.js'
import { type Asked, Instance, type InstanceGiven } from './instance.js'
import type { SnapshotStart } from './plugin-start.js'

/** Nobody has asked for anything yet, and an answer would be frozen in. */
const NOBODY: Asked = {
  ask() {
    throw new EngineError('NOT_BUILT', 'a host function cannot be called while the snapshot is taken', {
      hint: 'Call it in a function that is called later, or load the plugin without snapshot.',
    })
  },
}

/** What is written before a run would be no run's. */
const SILENT: InstanceGiven['output'] = {
  stdout: {
    write() {
      throw unkept('the program writes to its stdout before it reads its stdin')
    },
  },
  stderr: {
    write() {
      throw unkept('the program writes to its stderr before it reads its stdin')
    },
  },
}

/**
 * Makes one instance, has it initialise itself, or run as a program up to where it reads its stdin, and gives what it has become. Throws whatever ends
 * it, as the failure of a call.
 */
export function takeSnapshot(parts: InstanceParts, { init, program }: Pick<SnapshotStart, 'init' | 'program'>): Snapshot {
  const { state } = parts
  if (state === null) throw new EngineError('INTERNAL', 'the module was not made ready for a snapshot')
  const silent = program === null ? null : SILENT
  const given = { args: program ?? ['plugin'], input: new Uint8Array(), output: silent, fuel: Number.MAX_SAFE_INTEGER }
  const instance = new Instance(parts, NOBODY, given)
  try {
    return instance.openForSnapshot(state, (opened) => (program === null ? opened.initializeBy(init) : opened.reachStdin()))
  } catch (error) {
    throw instance.failureOf(error, { function: program === null ? (init ?? '_initialize') : '_start' })
  }
}
