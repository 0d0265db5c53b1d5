/** What the threads of one guest, and the sandbox's main thread that makes them, tell each other. */
import type { GuestProcess } from './protocol.js'

/** What all threads of a program have in common. */
export interface SharedProgram {
  readonly memory: WebAssembly.Memory
  /** Where they ask for what has to do with descriptors (`shared-calls.ts`). */
  readonly calls: SharedArrayBuffer
}

/** A thread to be made. */
export interface ThreadTask extends SharedProgram {
  readonly kind: 'thread'
  readonly process: GuestProcess
  readonly module: WebAssembly.Module
  readonly slot: number
  /** Null is the program's first, which runs `_start`. */
  readonly spawned: { readonly thread: number; readonly argument: number } | null
  /** Of `process.hrtime`, when the program's clock began. */
  readonly clockStartNs: bigint
}
