/** What the sandbox's main thread and the threads of its channels say to each other. */
import type { ComponentParts } from '../../wasm/component/run-component.js'
import type { FuelExports } from '../../wasm/instrument/instrument.js'
import type { StateExports } from '../../wasm/instrument/reveal.js'
import type { SharedFiles } from '../../wasm/sandbox/guest-files.js'
import type { FailureMessage } from '../../wasm/sandbox/messages.js'
import type { Snapshot } from '../../wasm/sandbox/snapshot.js'
import type { ModuleFunctions } from '../signatures.js'
import type { PluginStart } from './plugin-start.js'

/** What instances are made of, as a thread is told of it. */
export interface SharedParts {
  readonly start: PluginStart
  readonly files: SharedFiles
  /** Null for a component. */
  readonly module: WebAssembly.Module | null
  /** Null for a module. */
  readonly component: ComponentParts | null
  /** What it exports besides its own; null where it has no fuel. */
  readonly fuel: FuelExports | null
  /** By what names its state is reached; null where each instance initialises itself. */
  readonly state: StateExports | null
  /** Where each instance begins; null while it is being taken, and where there is none. */
  readonly snapshot: Snapshot | null
  /** The module as it came, where there is a snapshot. */
  readonly original: Uint8Array | null
  readonly functions: ModuleFunctions
  /** Of the thread's {@link Guard}. */
  readonly guard: SharedArrayBuffer
}

/** What a thread that has come up is given: from then on it listens to its channel alone, until a call of it is over. */
export interface TakeMessage extends SharedParts {
  readonly descriptor: number
  readonly nonce: string
}

/** Its call is over: it goes on with the next, after this nonce. */
export interface ResumeMessage {
  readonly resume: string
  /** How often it has resumed. */
  readonly turn: number
}

/** Nothing at all, for a thread that has nothing to be interrupted in. */
export interface IdleMessage {
  readonly idle: true
}

/** Or this: it takes the snapshot, which its parts have not yet, and is of no more use. */
export interface SnapshotMessage extends SharedParts {
  readonly init: string | null
  readonly program: readonly string[] | null
}

/** From a thread. */
export type ThreadMessage =
  /** It has come up. */
  | { readonly type: 'warm' }
  /** Its files are open: its number in each tree that is shared, in their order. */
  | { readonly type: 'attached'; readonly attachments: readonly number[] }
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  /** It has left its channel alone in this turn, and waits to resume. */
  | { readonly type: 'stopped'; readonly turn: number }
  | { readonly type: 'failed'; readonly error: FailureMessage }
