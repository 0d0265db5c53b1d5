/** What the sandbox's main thread and the threads of its channels say to each other. */
import type { FuelExports } from '../../wasm/instrument/instrument.js'
import type { SharedFiles } from '../../wasm/sandbox/guest-files.js'
import type { FailureMessage } from '../../wasm/sandbox/messages.js'
import type { ModuleFunctions } from '../signatures.js'
import type { PluginStart } from './plugin-start.js'

/** What a thread that has come up is given: from then on it listens to its channel alone, and to no message any more. */
export interface TakeMessage {
  readonly start: PluginStart
  readonly files: SharedFiles
  readonly module: WebAssembly.Module
  /** What it exports besides its own; null where it has no fuel. */
  readonly fuel: FuelExports | null
  readonly functions: ModuleFunctions
  readonly descriptor: number
  readonly nonce: string
}

/** From a thread. */
export type ThreadMessage =
  /** It has come up. */
  | { readonly type: 'warm' }
  /** Its files are open: its number in each tree that is shared, in their order. */
  | { readonly type: 'attached'; readonly attachments: readonly number[] }
  | { readonly type: 'failed'; readonly error: FailureMessage }
