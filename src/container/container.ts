import type { Readable, Writable } from 'node:stream'
import type { FileType } from '../fs/file-system.js'
import type { OpenNodeFs } from '../fs/node-fs.js'
import type { DiffId, Digest } from '../oci/digest.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import type { Platform } from '../oci/platform.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Usage } from '../runtime/guest-processes.js'
import type { Receipt } from '../runtime/receipt.js'
import type { Attachment, TerminalSize } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { SystemCallReport } from '../runtime/system-calls.js'
import type { WritableLayer } from '../runtime/writable-layer.js'
import type { ContainerFsOptions } from './container-fs.js'
import type { Exec, ExecOptions } from './exec.js'
import type { HealthState } from './health.js'
import type { LogEntry, LogOptions } from './logs.js'
import type { ContainerSettings, RestartPolicy } from './settings.js'
import type { ResourceUpdate } from './update.js'

/** Where a container stands, in the words of the Docker Engine API. Of a `dead` one the record cannot be read; it can only be removed. */
export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead'

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
  /** Its layers come while they are read, and are not in the store. */
  readonly lazy?: true
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
  /** How often its restart policy has started it again. */
  readonly restartCount: number
  /** What its health check says; null without one. */
  readonly health: HealthStatus | null
}

/** What checks of its health have said, in the words of the Docker Engine API. */
export type HealthStatus = 'starting' | 'healthy' | 'unhealthy'

/** Options of {@link Container.start}. */
export interface StartOptions {
  /** Take part in its stdio from before its first instruction. */
  readonly attach?: boolean
  /** First size of its terminal. */
  readonly terminalSize?: TerminalSize
}

/** Options of {@link Container.stop} and {@link Container.restart}. */
export interface StopOptions {
  /** What asks it to end; its own stop signal unless said. */
  readonly signal?: NodeJS.Signals
  /** Milliseconds it then has; negative is without end. Its own stop timeout unless said. */
  readonly timeoutMs?: number
}

/** What {@link Container.wait} waits for: that it does not run, that it ends once more, or that it is removed. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed'

/** What can be changed of a container that exists. */
export interface UpdateOptions extends ResourceUpdate {
  readonly restart?: RestartPolicy
}

/** What stands at a path in a container: what the Docker Engine API's archive calls say of it. */
export interface ContainerPathStat {
  /** Its last name; `.` behind `/.`, `/` for the root. */
  readonly name: string
  readonly type: FileType
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  readonly mtime: Date
  /** Where a symlink leads in the end, an absolute path in the container, whether anything is there or not; empty for anything else. */
  readonly linkTarget: string
}

/** What {@link Container.copyOut} gives. */
export interface CopiedOut {
  readonly stat: ContainerPathStat
  /** Destroy it when it is not read to its end. */
  readonly tar: Readable
}

/** How much a container takes of the disk, in bytes. */
export interface ContainerSize {
  /** Of the files that it has written; 0 while only its guest knows them. */
  readonly writtenBytes: number
  /** Of its image's layers, unpacked. */
  readonly imageBytes: number
}

/**
 * One container, from create to remove, and through any number of starts.
 *
 * One that `containers.create` made is its process's own: its streams exist before the guest's first instruction, so no byte is lost, and
 * its guest ends when that process does, unless {@link detach} lets it go. One that `containers.define` made is nobody's: each
 * {@link start} gives it to a launcher that holds it, logs for it and writes down its end, and any process may attach, wait, or stop it.
 *
 * Disposing (`await using`) kills what this process owns and removes it when it was made with `autoRemove`.
 */
export interface Container extends AsyncDisposable {
  /** 64 hex digits. */
  readonly id: string
  readonly name: string
  readonly spec: ContainerSpec
  readonly settings: ContainerSettings
  readonly image: ContainerImage
  /** The wall it stands behind: `native` or `wasm`. */
  readonly runtime: string
  /** What is true at this moment, also after the owner was killed. */
  readonly status: ContainerStatus
  /** Of one of this process's own: the guest's stdin; null unless `openStdin`. Null for every other: {@link attach}. */
  readonly stdin: Writable | null
  /** Its stdout; null for one that is not this process's own: {@link attach}. */
  readonly stdout: Readable | null
  /** The guest's stderr; null with a terminal, which has one output, and where stdout is null. */
  readonly stderr: Readable | null
  /**
   * Lets the guest go. Resolves when its program runs, with a part in its stdio if that was asked for. One that runs already goes on.
   * Rejects with COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE, and with CONFLICT where it cannot be started again.
   */
  start(options?: StartOptions): Promise<Attachment | null>
  /** How it ended. May be called before {@link start} and more than once, and holds the answer also when the container removes itself. */
  wait(options?: { readonly signal?: AbortSignal; readonly condition?: WaitCondition }): Promise<ExitStatus>
  /** Takes part in its stdio, from now on. Rejects with CONFLICT when it does not run or is paused. */
  attach(): Promise<Attachment>
  /** Of one of this process's own that runs: lets it go on when this process ends. Its streams here end. */
  detach(): Promise<void>
  /** One more program in it. Rejects with CONFLICT when it does not run or is paused. */
  exec(options: ExecOptions): Promise<Exec>
  /** Stops all its processes where they are. Rejects with CONFLICT when it does not run or is paused. */
  pause(): Promise<void>
  /** Lets them go on. Rejects with CONFLICT when it is not paused. */
  unpause(): Promise<void>
  /** Stops it, if it runs, and starts it. */
  restart(options?: StopOptions): Promise<void>
  /** Another name. Rejects with CONFLICT when it is taken, INVALID_ARGUMENT when it is none. */
  rename(name: string): Promise<void>
  /** Changes what can be changed of it. */
  update(options: UpdateOptions): Promise<void>
  /** What it has written, as its log has it; with `follow` also what it goes on to write, until it ends. */
  logs(options?: LogOptions): AsyncIterable<LogEntry>
  /** Sends a signal, SIGKILL unless said. Rejects with CONFLICT when it is not running. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Asks it to end, and sends SIGKILL when it still runs after a while. One that does not run is no error. */
  stop(options?: StopOptions): Promise<ExitStatus | null>
  /** New size of the terminal. Rejects with INVALID_ARGUMENT when there is none. */
  resize(size: TerminalSize): Promise<void>
  /** File that its output is kept in; null for one that keeps none. */
  readonly logPath: string | null
  /** What checks of its health have said since its start; null without a check. */
  health(): HealthState | null
  /** What isolation is really in force: collected inside before the guest's first instruction, checked again from outside. */
  receipt(): Promise<Receipt>
  /** Host pids of its processes. Rejects with CONFLICT when it does not run. */
  processes(): Promise<readonly number[]>
  /** What its processes use at this moment; null when it does not run. */
  usage(): Promise<Usage | null>
  /**
   * What it has written over its image's layers, also while it runs. Rejects with CONFLICT where only the guest knows that: of one that
   * runs with its writable layer in memory (`autoRemove`), or behind the Wasm wall.
   */
  written(): Promise<WritableLayer>
  /** How much it takes of the disk. */
  size(): Promise<ContainerSize>
  /**
   * What stands at a path in it, running or not: a symlink at its end itself, unless a slash or `/.` follows. Rejects with FILE_NOT_FOUND.
   */
  statPath(path: string): Promise<ContainerPathStat>
  /**
   * What stands at a path in it, with all below it, as a tar in which it has its last name, unless another is said; behind `/.` that is `.`.
   * Volumes and binds are seen, /proc, /sys and /dev are not. Rejects with FILE_NOT_FOUND.
   */
  copyOut(path: string, options?: { readonly name?: string }): Promise<CopiedOut>
  /**
   * Unpacks a tar, compressed or not, into a directory that is there. What bears its names makes way, but no directory for a file and no file
   * for a directory. All of the tar is looked at before anything is written. Rejects with FILE_NOT_FOUND, INVALID_ARGUMENT, INVALID_ARCHIVE, UNSAFE_PATH,
   * CONFLICT.
   */
  copyIn(path: string, tar: AsyncIterable<Uint8Array>, options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Its files as they are now, as `node:fs`, without what is mounted on them: a library that takes an `fs` can be given this one. Dispose of it
   * (`await using`). With `writable` what is written is put into the container when it is disposed, whether it runs by then or not, and one that
   * does not run cannot be started before; without, it holds nothing, and each write is EROFS. Rejects with CONFLICT where only the guest has
   * its files (a native one that runs with its writable layer in memory, `autoRemove`), and for `writable` where nothing would be kept
   * (`autoRemove` of one that does not run). Disposing of it rejects with CONFLICT where the container has meanwhile put something else where
   * a change belongs, with LIMIT_EXCEEDED without room, and with CONTAINER_NOT_FOUND when the container is gone.
   */
  fs(options?: ContainerFsOptions): Promise<OpenNodeFs>
  /** Its whole root as a tar, without what is mounted on it. */
  exportRoot(): Promise<Readable>
  /**
   * What it has written over its image's layers, as an uncompressed tar of a layer. Rejects with CONFLICT where only the guest knows that, as
   * {@link written}, and while files come and go; nothing does while it is paused.
   */
  layer(): Promise<Readable>
  /** The config of an image that is made of it, whose own image has this one. */
  committedConfig(image: ContainerConfig): ContainerConfig
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
  /**
   * Once it has ended, what `watch` asked for; null when that was nothing, or the report did not come in time (then the guest had the watcher
   * wait for memory that nobody gave).
   */
  systemCalls(): Promise<SystemCallReport | null>
}
