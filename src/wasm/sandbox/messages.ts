/** What the sandbox's main thread and its workers say to each other. */
import { EngineError, type ErrorCode, messageOf } from '../../errors.js'
import type { SharedUnion } from '../../fs/union-fs.js'
import type { ComponentParts } from '../component/run-component.js'
import type { FuelExports } from '../instrument/instrument.js'
import type { SharedFiles } from './guest-files.js'
import type { GuestProcess, GuestWords, StartMessage } from './protocol.js'
import type { FileRequest } from './session-protocol.js'
import type { SharedProgram, ThreadTask } from './thread-messages.js'

/** How a guest came to its end. */
export type Outcome =
  | { readonly kind: 'exit'; readonly exitCode: number; readonly signal: number | null; readonly fuelLeft?: number }
  /** Not by itself: it has reached a limit, or a replay has come to where it differs. */
  | { readonly kind: 'stopped'; readonly reason: 'limit' | 'diverged'; readonly detail: string; readonly fuelLeft?: number }
  /** `memoryPages` and `tableElements` are what it had then, where it exports them. */
  | {
      readonly kind: 'trap'
      readonly message: string
      readonly memoryPages: number
      readonly tableElements: number
      readonly fuelLeft?: number
    }

/** From a worker. */
export type WorkerMessage =
  /** Its files are open. `attachments`: its number in each tree that is shared, in their order. */
  | { readonly type: 'ready'; readonly attachments: readonly number[]; readonly preopens: readonly string[] }
  /** The program it has found, to be compiled. */
  | { readonly type: 'program'; readonly bytes: Uint8Array }
  | { readonly type: 'failed'; readonly error: FailureMessage }
  | { readonly type: 'stdin-room' }
  /** There is something in one of its outputs, where these are not descriptors. */
  | { readonly type: 'output' }
  | { readonly type: 'output-exceeded' }
  /** A copy of a tree, to be closed when the worker has ended. */
  | { readonly type: 'forked'; readonly fork: SharedUnion }
  | { readonly type: 'ended'; readonly outcome: Outcome }
  /** A thread of the guest's asks for one more. */
  | { readonly type: 'spawn'; readonly slot: number; readonly thread: number; readonly argument: number }
  /** It was one of several, and its program goes on. */
  | { readonly type: 'thread-ended' }

/** An EngineError that crosses a thread or a process. */
export interface FailureMessage {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** What a worker is for. */
export type WorkerTask =
  /** Runs a guest. It looks for its program itself, but for the container's own, which has been found already. */
  | { readonly kind: 'guest'; readonly process: GuestProcess; readonly findsProgram: boolean }
  /** Does something with the files, in the container's name. */
  | { readonly kind: 'files'; readonly request: FileRequest }
  /** Is one of a guest's threads. */
  | ThreadTask

/** What a worker is made with. */
export interface WorkerStart {
  readonly start: StartMessage
  readonly work: WorkerTask
  readonly stdin: SharedArrayBuffer
  /** Null writes to the sandbox's own, within the limit of output. */
  readonly outputs: { readonly stdout: SharedArrayBuffer; readonly stderr: SharedArrayBuffer } | null
}

/** To a worker, first of all. */
export interface FilesMessage {
  readonly files: SharedFiles
}

/** To a worker: the guest may run. */
export type GoMessage = (ModuleGo | ComponentGo) & {
  /** In place of those that the thread was made with, in a sandbox that was prewarmed. */
  readonly words?: GuestWords
}

/** A component, of which the worker makes the instances. */
export interface ComponentGo {
  readonly component: ComponentParts
}

/** A core module. */
export interface ModuleGo {
  readonly module: WebAssembly.Module
  /** What it exports besides its own; null where it has no fuel. */
  readonly fuel: FuelExports | null
  /** Of a guest with threads, which run elsewhere: what they need of its files is answered here. */
  readonly threads: SharedProgram | null
}

/** What went wrong, so that it can be said elsewhere. */
export function failureOf(error: unknown): FailureMessage {
  const { code, message, hint, data } = error instanceof EngineError ? error : new EngineError('SANDBOX_FAILED', messageOf(error))
  return { code, message, hint, data }
}

/** What {@link failureOf} was made of. */
export function errorOf({ code, message, hint, data }: FailureMessage): EngineError {
  return new EngineError(code, message, hint === undefined ? { data } : { data, hint })
}
