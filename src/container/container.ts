import type { Readable, Writable } from 'node:stream'
import type { DiffId, Digest } from '../oci/digest.js'
import type { Platform } from '../oci/platform.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt } from '../runtime/receipt.js'
import type { TerminalSize } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'

/** Where a container stands, in the words of the Docker Engine API. Of a `dead` one the record cannot be read; it can only be removed. */
export type ContainerStatus = 'created' | 'running' | 'exited' | 'dead'

/** The image a container was made from. */
export interface ContainerImage {
  /** As the user wrote it. */
  readonly reference: string
  /** Digest of what the reference named: a manifest or an index. */
  readonly id: Digest
  /** Digest of the manifest that was chosen. */
  readonly manifest: Digest
  readonly platform: Platform
  /** Digests of its uncompressed layers, base first: they are kept while the container is. */
  readonly diffIds: readonly DiffId[]
}

/** What is known about a container without touching it: one row of `ps`. */
export interface ContainerSummary {
  /** 64 hex digits. */
  readonly id: string
  /** Empty for a dead one that has lost its name. */
  readonly name: string
  /** Null for a dead one. */
  readonly image: ContainerImage | null
  /** The wall it stands behind: `native` or `wasm`; empty for a dead one. */
  readonly runtime: string
  /** Program and arguments; none for a dead one. */
  readonly command: readonly string[]
  readonly status: ContainerStatus
  /** Of a dead one: when its folder last changed. */
  readonly createdAt: Date
  readonly startedAt: Date | null
  /** Null while it runs, and when it died without anybody there to write the time down. */
  readonly finishedAt: Date | null
  /** How it ended; null before that. */
  readonly exit: ExitStatus | null
  readonly labels: Readonly<Record<string, string>>
  /** Host pid of the guest's init or sandbox process while it runs. */
  readonly pid: number | null
  readonly autoRemove: boolean
}

/**
 * One container, from create to remove.
 *
 * The order is create → attach streams → {@link start} → {@link wait}: streams exist before the guest's first instruction, so no
 * byte is lost. The process that created a container owns it: its guest ends when that process does. A container found by
 * `containers.get` that another process owns can be looked at, waited for, killed and removed.
 *
 * Disposing (`await using`) kills what this process owns and removes it when it was made with `autoRemove`.
 */
export interface Container extends AsyncDisposable {
  /** 64 hex digits. */
  readonly id: string
  readonly name: string
  readonly spec: ContainerSpec
  readonly image: ContainerImage
  /** The wall it stands behind: `native` or `wasm`. */
  readonly runtime: string
  /** What is true at this moment, also after the owner was killed. */
  readonly status: ContainerStatus
  /** The guest's stdin; null unless `openStdin`, and for a container that another process owns or that `get` found after its end. */
  readonly stdin: Writable | null
  /** The guest's stdout; null for a container that another process owns (attach is not built yet) or that `get` found after its end. */
  readonly stdout: Readable | null
  /** The guest's stderr; null with a terminal, which has one output, and where stdout is null. */
  readonly stderr: Readable | null
  /**
   * Lets the guest go. Resolves when its program runs.
   * Rejects with COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE, and with CONFLICT when it was started before.
   */
  start(): Promise<void>
  /** How it ended. May be called before {@link start} and more than once, and holds the answer also when the container removes itself. */
  wait(options?: { readonly signal?: AbortSignal }): Promise<ExitStatus>
  /** Sends a signal, SIGKILL unless said. Rejects with CONFLICT when it is not running. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Sends SIGTERM, and SIGKILL when it still runs after `timeoutMs` (10 seconds unless said). */
  stop(options?: { readonly timeoutMs?: number }): Promise<ExitStatus>
  /** New size of the terminal. Rejects with INVALID_ARGUMENT when there is none. */
  resize(size: TerminalSize): Promise<void>
  /** What isolation is really in force: collected inside before the guest's first instruction, checked again from outside. */
  receipt(): Promise<Receipt>
  /** Removes it with its writable layer. Rejects with CONFLICT while it runs, unless `force`, which kills it first. */
  remove(options?: RemoveOptions): Promise<void>
  /** What `ps` shows of it. */
  summary(): ContainerSummary
}

/** What {@link Container.remove} takes. */
export interface RemoveOptions {
  readonly force?: boolean
  /** Removes the anonymous volumes that were made for it too, as `autoRemove` does. */
  readonly volumes?: boolean
}

/** A container of the process that made it, which therefore has its output. */
export interface CreatedContainer extends Container {
  readonly stdout: Readable
}
