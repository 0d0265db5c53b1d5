import type { Readable, Writable } from 'node:stream'
import type { ProcessIdentity } from '../store/process-identity.js'
import type { ContainerFiles, FilesRequest } from './container-files.js'
import type { ExitStatus } from './exit.js'
import type { Receipt } from './receipt.js'
import type { ContainerSpec, FileSystemObjects, ProcessSpec, Rootfs } from './spec.js'
import type { SystemCallReport, SystemCallWatch } from './system-calls.js'
import type { WritableLayer } from './writable-layer.js'

/** Size of a terminal in character cells. */
export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** What holds a guest while nobody waits for it, beside relaying its stdio. */
export interface Supervision {
  /** The guest is nobody's from its start on: the process that starts it may end. Else it ends with that process. */
  readonly outlives: boolean
  /** Where its output is kept, in the form of docker's json-file; null for nowhere. */
  readonly log: { readonly path: string; readonly maximumBytes: number | null; readonly files: number } | null
  /** A file to which each end is added as one more line, behind `word`. */
  readonly journal: { readonly path: string; readonly word: string }
  /** A command of the host's that is run when a guest that outlives has ended; empty for none. */
  readonly endCommand: readonly string[]
  /** One that is run while it runs, again and again; null for none. */
  readonly beat: { readonly command: readonly string[]; readonly intervalMs: number } | null
  /** The whole environment of both, `NAME=value`. */
  readonly environment: readonly string[]
}

/** What {@link Runtime.create} needs. */
export interface CreateRequest {
  /** 64 hex digits. */
  readonly id: string
  /** The container's own folder on the host, 0700; the wall may keep files of its own below it. */
  readonly directory: string
  readonly spec: ContainerSpec
  readonly rootfs: Rootfs
  /** Of the spec's mounts of type `fs`. */
  readonly objects?: FileSystemObjects
  /** Whether the guest gets a stdin to read from; without, it reads end-of-file. */
  readonly openStdin: boolean
  /** Whether that stdin stays open for others when a caller has no more to say. */
  readonly keepStdin?: boolean
  /** Absent, nobody but this process has to do with the guest. */
  readonly supervision?: Supervision
  /** First size of the terminal, when `spec.process.terminal`. */
  readonly terminalSize?: TerminalSize
  /** Has the guest's system calls told, see {@link Task.systemCalls}. */
  readonly watch?: SystemCallWatch
  /** Ends the guest, being made or made, and what waits for it. */
  readonly signal?: AbortSignal
  /**
   * Makes the container known: its folder, its name, its record. A wall calls it once, where it would otherwise only wait for others, and
   * keeps nothing in the folder before it has resolved. When it rejects, so does `create`. Absent when all that is there already.
   */
  readonly record?: () => Promise<void>
  /** What this wall has made ready for such a container: it fits, and the container has its id. Used up, whatever becomes of the container. */
  readonly prewarmed?: Prewarmed
}

/** A guest that is nobody's, made as far as it can be without knowing whose. It ends with this process, and leaves nothing. */
export interface Prewarmed {
  /** That of the container which it can become. */
  readonly id: string
  /** Resolves when it is gone, closed or dead, and when the container that it became is. */
  readonly ended: Promise<void>
  /**
   * Whether it is what this container asks for in everything that was settled when it was made. Of one that fits, {@link Runtime.create} settles
   * nothing again when it is given the same spec, the very object, and the same rootfs.
   */
  fits(request: CreateRequest): boolean
  /** Ends it. Resolves when it is gone. */
  close(): Promise<void>
}

/** What {@link Runtime.update} needs. */
export interface UpdateRequest {
  readonly directory: string
  readonly before: ContainerSpec
  readonly after: ContainerSpec
}

/** One more program for a running container. */
export interface ExecRequest {
  readonly id: string
  /** The container's own folder. */
  readonly directory: string
  /** The container's. */
  readonly spec: ContainerSpec
  readonly process: ProcessSpec
  readonly openStdin: boolean
  readonly terminalSize?: TerminalSize
  /** It goes on when this process ends; it has no stdio then. */
  readonly outlives: boolean
  /** File for how it ended, of one that outlives. */
  readonly endRecord: string | null
}

/** How a container's last run ended, as what held it wrote down. */
export interface RunEnd {
  readonly exit: ExitStatus
  readonly finishedAt: Date
}

/** A wall: one way to hold a guest. */
export interface Runtime {
  /** `native`, `wasm`; open, for walls to come. */
  readonly name: string
  /** Whether layers may come while their files are read (`store/layer-store`). */
  readonly readsLazyLayers?: boolean
  /** Why it cannot be used on this host, as a sentence, or null. Never throws. */
  unavailable(): Promise<string | null>
  /** Whether the program is of its kind, judged by magic bytes: ELF and scripts, or `\0asm`. */
  accepts(spec: ContainerSpec, rootfs: Rootfs): boolean
  /** Builds everything up to the guest's first instruction. The receipt is there when it resolves. On failure nothing is left. */
  create(request: CreateRequest): Promise<Task>
  /**
   * Makes as much of a container as can be made before anybody wants it. Nothing is kept on disk, and the request's `record`, `supervision` and
   * `signal` are those of the container that comes. Absent at a wall that starts quickly enough. Rejects as `create` does.
   */
  prewarm?(request: CreateRequest): Promise<Prewarmed>
  /** The running task of a container, found again by another process; null when it is not running. */
  open(id: string, directory: string): Promise<RunningTask | null>
  /** At most so many bytes of a file of a running container, as it is now; empty when there is none. Rejects with CONFLICT when it is not running. */
  readFile(directory: string, spec: ContainerSpec, path: string, maximumBytes: number): Promise<Buffer>
  /** Starts one more program in a running container. Rejects with CONFLICT when it is not running. */
  exec(request: ExecRequest): Promise<Task>
  /**
   * Holds a container to other limits and resources, now when it runs: all of them, or none and a rejection, INVALID_ARGUMENT,
   * UNSUPPORTED_BY_HOST or NOT_BUILT as for `create`, and CONFLICT for what can be changed only while it does not run.
   */
  update(request: UpdateRequest): Promise<void>
  /**
   * How the last run of a container ended that nobody waited for, and puts in order what it left. Null when that is not known, for the
   * wall was killed too. Idempotent; the caller sees to it that it is made once at a time.
   */
  lastEnd(directory: string, spec: ContainerSpec): Promise<RunEnd | null>
  /**
   * What a container has written over its rootfs, also while it runs. Null when only its guest knows that: it is in memory.
   */
  written(directory: string, spec: ContainerSpec, rootfs: Rootfs): Promise<WritableLayer | null>
  /** Its files, for copying in and out. Nothing is opened or begun before they are asked for something. */
  files(request: FilesRequest): ContainerFiles
  /**
   * Removes what the wall kept in the folder of a container that has ended or died: its writable layer, a half-made plan.
   * Needed because files of subordinate owners can only be removed inside a user namespace. Idempotent; the folder itself stays.
   */
  discard(id: string, directory: string): Promise<void>
}

/** What can be done to a task that another process started. */
export interface RunningTask {
  /** Host pid of the guest's init or sandbox process. */
  readonly pid: number
  /** Sends a signal to the guest. Resolves when it is sent; a guest that is gone is no error. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Stops all of the guest's processes at one moment. Rejects with CONFLICT when it has ended. */
  pause(): Promise<void>
  /** Lets them go on. */
  resume(): Promise<void>
  /** New size of the terminal. */
  resize(size: TerminalSize): Promise<void>
  /** Takes part in its stdio. Rejects with CONFLICT when it has ended. */
  attach(): Promise<Attachment>
  /** Resolves when its end has been written down. */
  gone(signal?: AbortSignal): Promise<void>
}

/** A part in a guest's stdio, of which there may be several. Its streams end when the guest does. */
export interface Attachment {
  /** Null when the guest has no stdin. Ending it ends the guest's only where stdin is not kept. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  /** Null with a terminal. */
  readonly stderr: Readable | null
  /** Leaves; the guest goes on. */
  close(): void
}

/** A guest behind a wall, from just before its first instruction until nothing of it is left. */
export interface Task extends RunningTask {
  /** Null unless stdin was asked for. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  /** Null with a terminal: a terminal has one output. */
  readonly stderr: Readable | null
  /** The process that holds the guest and writes down its end; null when that is this process. */
  readonly supervisor: ProcessIdentity | null
  /** From now on the guest is nobody's: it goes on when this process ends, and its streams here end. */
  outlive(): Promise<void>
  /** Lets the guest go. Rejects with COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE when its program cannot be executed. */
  start(): Promise<void>
  /** How it ended; may be called before start and more than once. */
  wait(): Promise<ExitStatus>
  /**
   * Resolves when what the guest has done to file systems of this process is in them, however it ended; at once where they are live or there
   * are none. Rejects with what kept it out: LIMIT_EXCEEDED for more than may come to one, LAUNCHER_FAILED when it could not be read.
   */
  settled(): Promise<void>
  /** What isolation is really in force. */
  receipt(): Promise<Receipt>
  /** Once it has ended, what was asked for with `watch`; null where that could not be told. Absent at a wall whose guests make no system calls. */
  systemCalls?(): Promise<SystemCallReport | null>
  /** Kills what still runs and removes what the wall made, but not the writable layer of a container that is kept. Idempotent. */
  delete(): Promise<void>
}
