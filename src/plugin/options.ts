import type { Engine } from '../engine/engine.js'
import type { NodeFsLike } from '../fs/node-fs-like.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Limits } from '../runtime/limits.js'
import type { NativeWall } from '../wasm/double-wall.js'

/** Where a plugin comes from: an image of the engine's, a file, or bytes. A file or bytes must be a WebAssembly module. */
export type PluginSource =
  | { readonly image: string; readonly path?: never; readonly bytes?: never }
  | { readonly path: string; readonly image?: never; readonly bytes?: never }
  | { readonly bytes: Uint8Array; readonly image?: never; readonly path?: never }

/** What a plugin is given. It has nothing besides: no network, no variable, no file but its image's, which it cannot write. */
export type PluginOptions = PluginSource & {
  /** Where the image is looked up; the default engine's store unless said. */
  readonly engine?: Engine
  /** Functions of this process that the module may import, by name, from the module `wolffia`. */
  readonly hostFunctions?: Readonly<Record<string, HostFunction>>
  /** File systems of this process, memfs Volumes for example, by the absolute path at which the plugin finds them. */
  readonly mounts?: Readonly<Record<string, NodeFsLike | PluginMount>>
  /** Variables; those of its image's config come before them. */
  readonly env?: Readonly<Record<string, string>>
  readonly limits?: PluginLimits
  /** Calls that run at once, each in a thread of its own; 1 unless said. */
  readonly threads?: number
  /**
   * `fresh`, unless said: each call has an instance of its own, so that none leaves anything to another. `kept`: a thread's calls share an instance,
   * until one fails.
   */
  readonly instances?: 'fresh' | 'kept'
  /**
   * Initialises the module once, when it is loaded, and has every instance begin where that has led, whatever it cost: `_initialize`, then the exported
   * function `init` (without parameters). Memory and globals are kept; clocks and chance that it has looked at are frozen for all instances.
   */
  readonly snapshot?: boolean | PluginSnapshot
  /** Instances of {@link Plugin.instance} that one thread keeps; one more is refused with LIMIT_EXCEEDED. 1,000 unless said. */
  readonly instancesPerThread?: number
  /** Calls that may wait for a thread; more are refused with LIMIT_EXCEEDED. 1,000 unless said. */
  readonly queue?: number
  /** Whether the sandbox stands behind the native wall too: where the host can make one, unless said. */
  readonly nativeWall?: NativeWall
  /** Gives up loading. */
  readonly signal?: AbortSignal
}

/** How a snapshot is taken. */
export interface PluginSnapshot {
  /** The exported function that is called; `wizer-initialize` or `wizer.initialize` unless said, where the module has one. */
  readonly init?: string
  /**
   * In place of an initialisation the program itself is run until it first reads its stdin, and each {@link Plugin.run} goes on there with a stdin of its
   * own. The module must have been made ready for that by Binaryen's pass Asyncify, for `wasi_snapshot_preview1.fd_read`.
   */
  readonly until?: 'stdin'
  /** Arguments of that program, after its name; those of its image unless said. `run` takes none then. */
  readonly args?: readonly string[]
  /** Milliseconds it may take; `limits.timeoutMs` unless said. */
  readonly timeoutMs?: number
}

/** An object as a mount, with more to say about it. */
export interface PluginMount {
  readonly fs: NodeFsLike
  readonly readonly?: boolean
  /** Directory of the object; all of it unless said. */
  readonly source?: string
  /** Bytes that the plugin may add to it; `limits.diskBytes` unless said, else 256 MiB. */
  readonly sizeBytes?: number
}

/**
 * Limits of each call. Behind the Wasm wall a call that says nothing has 256 MiB of memory, 1,000,000 table elements, 256 descriptors, 16 MiB of
 * answer or output, and ten seconds, host functions included.
 */
export type PluginLimits = Limits

/** The limits of a plugin whose owner names none. */
export const PLUGIN_LIMITS = {
  memoryBytes: 256 * 2 ** 20,
  tableElements: 1_000_000,
  openFiles: 256,
  outputBytes: 16 * 2 ** 20,
  timeoutMs: 10_000,
} as const

/** What a host function learns of the call it is part of. */
export interface HostCall {
  /** Aborts when the call is over before the function has answered: nobody waits for the answer then. */
  readonly signal: AbortSignal
}

/** What a host function of bytes or text may answer; nothing is an answer without bytes. */
export type HostAnswer = Uint8Array | string | undefined

/**
 * A function of this process that a plugin may call. The plugin's thread waits for it; this process does not. It may throw: then the call fails
 * with HOST_FUNCTION_FAILED, and what it threw is the cause. Its input is a stranger's.
 *
 * A plain function, and `text`, are imported as `(pointer, length) -> pointer << 32 | length`; `text` is given valid UTF-8 only. `numbers` has whatever
 * numeric signature the module imports it with: i64 is a bigint, all others are numbers.
 */
export type HostFunction =
  // biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement is one.
  | ((input: Uint8Array, call: HostCall) => HostAnswer | void | Promise<HostAnswer | void>)
  | {
      /** Is given text, and answers text or bytes. */
      // biome-ignore lint/suspicious/noConfusingVoidType: as above.
      readonly text: (input: string, call: HostCall) => HostAnswer | void | Promise<HostAnswer | void>
    }
  | {
      /** Is given numbers, and answers one or none. */
      // biome-ignore lint/suspicious/noConfusingVoidType: as above.
      readonly numbers: (inputs: readonly (number | bigint)[], call: HostCall) => number | bigint | void | Promise<number | bigint | void>
    }

/** Options of one call. */
export interface CallOptions {
  /** Ends it, whatever it does, or takes it out of the queue: it rejects with ABORTED. */
  readonly signal?: AbortSignal
  /** Milliseconds it may take from when a thread takes it up; `limits.timeoutMs` unless said. Then it rejects with DEADLINE_EXCEEDED. */
  readonly timeoutMs?: number
  /** Told what was left of `limits.fuel` when it has succeeded; for a batch, of what all its calls together may spend. Of a run, its exit says it. */
  readonly onFuel?: (left: number) => void
}

/** Options of one run. */
export interface RunOptions extends CallOptions {
  /** All of its stdin; empty unless said. */
  readonly stdin?: Uint8Array | string
}

/** What came of a run. */
export interface PluginRun {
  /** A non-zero exit, a trap and a limit that was reached are results. */
  readonly exit: ExitStatus
  readonly stdout: Buffer
  readonly stderr: Buffer
}

/** What a function of numbers gives: nothing, one, or several where its signature has several. */
export type CallNumbers = undefined | number | bigint | readonly (number | bigint)[]

/** What a call may be given. @internal */
export type CallInput = string | Uint8Array | readonly (number | bigint)[]
