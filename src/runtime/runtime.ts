import type { Readable, Writable } from 'node:stream'
import type { ExitStatus } from './exit.js'
import type { Receipt } from './receipt.js'
import type { ContainerSpec, Rootfs } from './spec.js'

/** Size of a terminal in character cells. */
export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** What {@link Runtime.create} needs. */
export interface CreateRequest {
  /** 64 hex digits. */
  readonly id: string
  /** The container's own folder on the host, 0700; the wall may keep files of its own below it. */
  readonly directory: string
  readonly spec: ContainerSpec
  readonly rootfs: Rootfs
  /** Whether the guest gets a stdin to read from; without, it reads end-of-file. */
  readonly openStdin: boolean
  /** First size of the terminal, when `spec.process.terminal`. */
  readonly terminalSize?: TerminalSize
  /** Ends the guest, being made or made, and what waits for it. */
  readonly signal?: AbortSignal
  /**
   * Makes the container known: its folder, its name, its record. A wall calls it once, where it would otherwise only wait for others, and
   * keeps nothing in the folder before it has resolved. When it rejects, so does `create`. Absent when all that is there already.
   */
  readonly record?: () => Promise<void>
}

/** A wall: one way to hold a guest. */
export interface Runtime {
  /** `native`, `wasm`; open, for walls to come. */
  readonly name: string
  /** Why it cannot be used on this host, as a sentence, or null. Never throws. */
  unavailable(): Promise<string | null>
  /** Whether the program is of its kind, judged by magic bytes: ELF and scripts, or `\0asm`. */
  accepts(spec: ContainerSpec, rootfs: Rootfs): boolean
  /** Builds everything up to the guest's first instruction. The receipt is there when it resolves. On failure nothing is left. */
  create(request: CreateRequest): Promise<Task>
  /** The running task of a container, found again by another process; null when it is not running. */
  open(id: string, directory: string): Promise<RunningTask | null>
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
}

/** A guest behind a wall, from just before its first instruction until nothing of it is left. */
export interface Task extends RunningTask {
  /** Null unless stdin was asked for. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  /** Null with a terminal: a terminal has one output. */
  readonly stderr: Readable | null
  /** Lets the guest go. Rejects with COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE when its program cannot be executed. */
  start(): Promise<void>
  /** New size of the terminal. */
  resize(size: TerminalSize): Promise<void>
  /** How it ended; may be called before start and more than once. */
  wait(): Promise<ExitStatus>
  /** What isolation is really in force. */
  receipt(): Promise<Receipt>
  /** Kills what still runs and removes what the wall made, but not the writable layer of a container that is kept. Idempotent. */
  delete(): Promise<void>
}
