import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import { EngineError } from '../errors.js'
import { deferred } from './deferred.js'
import { launcherError } from './failure.js'
import { assetPath, launcherBuildCommand } from './installation.js'
import type { Plan } from './operations.js'
import type { CreatedEvent, ExitedEvent, LauncherEvent, ReceiptEvent, WatchedEvent } from './protocol.js'
import { encodePlan, parseEvent } from './protocol.js'
import { expectFurtherStarts, type LauncherChild } from './spawner.js'
import { type StartOptions, spawnError, startLauncher } from './start.js'

/** Options of {@link launch}. */
export interface LaunchOptions extends StartOptions {
  /** Kills the container, at any time; what waits rejects with ABORTED. */
  readonly signal?: AbortSignal
}

/** What {@link LauncherProcess.ready} gives. */
export interface LauncherReady {
  readonly created: CreatedEvent
  readonly receipt: ReceiptEvent
}

/** First descriptor of `LaunchOptions.descriptors` in the launcher. */
export const FIRST_DESCRIPTOR = 6

/** Without a launcher there is no native wall. Says so with the way out, or null when it is there. */
export function launcherMissing(): string | null {
  const path = assetPath('launcher')
  return existsSync(path)
    ? null
    : `the launcher is not built (${path}): install a C compiler (gcc or clang), then run ${launcherBuildCommand()}`
}

/**
 * Starts the launcher on a plan: one process, which then speaks on its control socket. Nothing is awaited here; a failure of any
 * step rejects whichever promise waits for it. Throws RUNTIME_UNAVAILABLE when there is no launcher or no process can be made.
 */
export function launch(plan: Plan, options: LaunchOptions = {}): LauncherProcess {
  if (options.signal?.aborted) throw aborted(options.signal)
  const missing = launcherMissing()
  if (missing !== null)
    throw new EngineError('RUNTIME_UNAVAILABLE', 'native containers need the launcher, which is not built', {
      hint: `${missing}. Wasm images run without it.`,
    })
  const bytes = encodePlan(plan)
  return new LauncherProcess(startLauncher(options, { hasProgram: plan.exec !== null }), bytes, options.signal)
}

/** Runs a plan without a program to its end. Rejects with what failed. */
export async function perform(plan: Plan, options: LaunchOptions = {}): Promise<void> {
  await launch(plan, options).done
}

/** One running launcher: typed events as promises, commands as methods. */
export class LauncherProcess {
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** For each of `LaunchOptions.descriptors`: its stream, or null when it is a number of the caller's. */
  readonly streams: readonly (Duplex | null)[]
  /** The guest stands before its first instruction and waits for {@link go}. */
  readonly ready: Promise<LauncherReady>
  /** How the guest ended, with everything of the container gone. Not a rejection for any exit status. */
  readonly exited: Promise<ExitedEvent>
  /** A plan without a program is finished. */
  readonly done: Promise<void>
  readonly #child: LauncherChild
  #pid: number | undefined
  readonly #control: Socket
  readonly #ready = deferred<LauncherReady>()
  readonly #started = deferred<void>()
  readonly #begun = deferred<void>()
  readonly #exited = deferred<ExitedEvent>()
  readonly #done = deferred<void>()
  #created: CreatedEvent | null = null
  #partialLine = ''
  #gone = false
  #watched: WatchedEvent | null = null

  /** @internal Use {@link launch}. */
  constructor(child: LauncherChild, plan: Buffer, signal: AbortSignal | undefined) {
    this.#child = child
    this.#pid = child.pid
    this.stdin = child.stdin
    this.stdout = child.stdout
    this.stderr = child.stderr
    this.streams = child.stdio.slice(FIRST_DESCRIPTOR).map((stream) => (stream ?? null) as Duplex | null)
    // A launcher that fails leaves what it has not read, and the kernel answers that with ECONNRESET: its own words say why.
    for (const stream of this.streams) stream?.on('error', () => {})
    this.ready = this.#ready.promise
    this.exited = this.#exited.promise
    this.done = this.#done.promise
    const planSocket = child.stdio[3] as Socket
    // The launcher may end before it has read everything: its own words say why, not an EPIPE here.
    planSocket.on('error', () => {})
    planSocket.end(plan)
    this.#control = child.stdio[4] as Socket
    this.#control.setEncoding('utf8')
    this.#control.on('error', () => {})
    this.#control.on('data', (text: string) => this.#read(text))
    child.on('error', (cause: NodeJS.ErrnoException) => this.#fail(spawnError(cause)))
    // All events are in when both the process has ended and the socket is at its end.
    child.on('exit', (code, signalName) => {
      const ended = () =>
        this.#fail(new EngineError('LAUNCHER_FAILED', `the launcher ended without a word (${signalName ?? `status ${code ?? 'unknown'}`})`))
      if (this.#control.readableEnded || this.#control.destroyed) ended()
      else this.#control.once('close', ended)
    })
    if (signal !== undefined) {
      const abort = () => {
        this.#fail(aborted(signal))
        this.kill()
      }
      signal.addEventListener('abort', abort, { once: true })
      child.on('exit', () => signal.removeEventListener('abort', abort))
    }
  }

  /** Host pid of the launcher itself, known once {@link ready} has resolved; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#pid
  }

  /** What was told of the guest's system calls, once {@link exited} has resolved; null for nothing. */
  get watched(): WatchedEvent | null {
    return this.#watched
  }

  /** Lets the guest go; resolves when execve has succeeded, or a signal has ended it before. Rejects with COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE. */
  async go(): Promise<void> {
    this.#command('go')
    expectFurtherStarts()
    await this.#started.promise
  }

  /**
   * Of a plan with `begin-later`, whose further plan has been written there by now: the guest, which runs, is somebody's from here on. Resolves when
   * that is so. Rejects with what failed, and the guest is killed.
   */
  async begin(): Promise<void> {
    this.#command('begin')
    await this.#begun.promise
  }

  /** Sends a signal, by number, to the guest. A guest that is gone is no error. */
  signal(number: number): void {
    this.#command(`signal ${number}`)
  }

  /** New size of the terminal; the guest gets SIGWINCH. */
  resize(size: { readonly rows: number; readonly columns: number }): void {
    this.#command(`resize ${size.rows} ${size.columns}`)
  }

  /** From now on the guest does not end with this process, and its stdio is no longer this process's. */
  outlive(): void {
    this.#command('outlive')
  }

  /** Stops everything in the container at one moment, or lets it go on. */
  pause(): void {
    this.#command('pause')
  }

  resume(): void {
    this.#command('resume')
  }

  /** Has the guest killed, with reason `timeout`, after so many milliseconds from now. */
  deadline(milliseconds: number): void {
    this.#command(`deadline ${milliseconds}`)
  }

  /** Lets the launcher go on alone: nothing of it keeps this process from ending. Only for one that outlives its caller. */
  release(): void {
    this.#child.unref()
    this.#control.unref()
  }

  /** Kills everything in the container by closing the control socket, before `go` or after. {@link exited} still says how it ended. */
  kill(): void {
    this.#control.end()
  }

  #command(line: string): void {
    // A launcher that has just ended would answer with EPIPE, and what it said of the end would go with the socket.
    if (this.#created !== null && !isThere(this.#created.guest)) return
    if (!this.#gone && this.#control.writable) this.#control.write(`${line}\n`)
  }

  #read(text: string): void {
    const lines = (this.#partialLine + text).split('\n')
    this.#partialLine = lines.pop() ?? ''
    for (const line of lines) {
      let event: LauncherEvent
      try {
        event = parseEvent(line)
      } catch (error) {
        this.#fail(error)
        this.kill()
        return
      }
      this.#take(event)
    }
  }

  #take(event: LauncherEvent): void {
    switch (event.event) {
      case 'launched':
        this.#pid = event.pid
        break
      case 'created':
        this.#created = event
        break
      case 'receipt':
        if (this.#created !== null) this.#ready.resolve({ created: this.#created, receipt: event })
        break
      case 'started':
        this.#started.resolve()
        break
      case 'begun':
        this.#begun.resolve()
        break
      case 'failed':
        this.#fail(launcherError(event))
        break
      case 'watched':
        this.#watched = event
        break
      case 'exited':
        this.#exited.resolve(event)
        // A signal may have ended it before it was let go: it is as if it had been, and had ended at once.
        this.#started.resolve()
        this.#fail(new EngineError('LAUNCHER_FAILED', 'the guest has already ended'))
        break
      case 'done':
        this.#done.resolve()
        this.#fail(new EngineError('LAUNCHER_FAILED', 'the plan has no program'))
        break
    }
  }

  /** Rejects whatever still waits; what has been settled stays. */
  #fail(error: unknown): void {
    this.#gone = true
    for (const waiting of [this.#ready, this.#started, this.#begun, this.#exited, this.#done]) waiting.reject(error)
    this.#control.end()
  }
}

function aborted({ reason }: AbortSignal): EngineError {
  return new EngineError('ABORTED', 'stopped by the caller', { cause: reason })
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
