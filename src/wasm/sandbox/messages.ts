/** What the sandbox's two threads say to each other. */
import type { StartMessage } from './protocol.js'

/** How a guest came to its end. */
export type Outcome =
  | { readonly kind: 'exit'; readonly exitCode: number; readonly signal: number | null }
  /** `memoryPages` and `tableElements` are what it had then, where it exports them. */
  | { readonly kind: 'trap'; readonly message: string; readonly memoryPages: number; readonly tableElements: number }

/** From the guest's worker. */
export type WorkerMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: FailureMessage }
  | { readonly type: 'stdin-room' }
  | { readonly type: 'output-exceeded' }
  /** `lost`: why its files could not be kept; null when they were, or were not to be. */
  | { readonly type: 'ended'; readonly outcome: Outcome; readonly lost: string | null }

/** An EngineError that crosses a thread or a process. */
export interface FailureMessage {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** What the worker is made with. */
export interface WorkerStart {
  readonly start: StartMessage
  readonly stdin: SharedArrayBuffer
}

/** To the worker: the guest may run. */
export interface GoMessage {
  readonly module: WebAssembly.Module
}
