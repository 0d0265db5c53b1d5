import { spawn } from 'node:child_process'
import { closeSync, constants as openFlags, openSync } from 'node:fs'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { type Duplex, Readable, type Writable } from 'node:stream'
import { EngineError } from '../errors.js'
import { launch } from '../launcher/client.js'
import { assetPath } from '../launcher/installation.js'
import type { Operation, Plan } from '../launcher/operations.js'
import { type ExitedEvent, encodePlan } from '../launcher/protocol.js'
import type { ReceiptTexts } from '../runtime/kernel-evidence.js'
import type { TerminalSize } from '../runtime/runtime.js'
import { MEMORY_COPY_ENVIRONMENT } from './sandbox/memory-copy.js'

/** How a sandbox process ended, as the kernel says. */
export interface ProcessEnd {
  readonly code: number | null
  /** Linux's number. */
  readonly signal: number | null
  /** Why, where a launcher says so. */
  readonly reason?: ExitedEvent['reason']
}

/** A sandbox process, behind the native wall or alone. */
export interface SandboxProcess {
  /** Host pid of the process that runs Node. */
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable | null
  /** The process's descriptors 3 and 4. */
  readonly start: Duplex
  readonly control: Duplex
  /** Its further channels, in the order of its descriptors. */
  readonly channels: readonly Duplex[]
  /** Where it asks for file systems of this process; null where it has none. */
  readonly remote: Duplex | null
  /** What the launcher found inside, before Node was executed; null without a wall. */
  readonly kernel: { readonly pid: number; readonly texts: ReceiptTexts } | null
  /** Host pids of the launcher that holds it and of its init; null without a wall. */
  readonly holders: { readonly supervisor: number | undefined; readonly init: number } | null
  /** Resolves when the process is gone and everything it has written can be read. */
  readonly ended: Promise<ProcessEnd>
  /**
   * Tells the launcher of a sandbox that was started `later` whose it is, and what to do besides waiting. Resolves when that is in force.
   * Throws INTERNAL for any other.
   */
  begin(operations: readonly Operation[]): Promise<void>
  /** Lets Node run. */
  execute(): Promise<void>
  signal(number: number): void
  resize(size: TerminalSize): void
  pause(): void
  resume(): void
  /** Has it killed by its launcher after so many milliseconds. Nobody does that without a wall. */
  deadline(milliseconds: number): void
  /** Lets it go on when this process ends. Throws UNSUPPORTED_BY_HOST without a wall. */
  outlive(): void
  /** Ends it, whatever it does. */
  kill(): void
}

/** As open(2) has it; Node does not name it. */
const O_TMPFILE = 0o20000000 | openFlags.O_DIRECTORY

/** What a sandbox of a container executes, of the folder dist/sandbox. */
export const SANDBOX_PROGRAM = 'main.cjs'

/** What both kinds are started with. */
export interface SandboxStart {
  readonly openStdin: boolean
  readonly terminal: boolean
  /** File that becomes descriptor 5, made or emptied, to be written to; null for none. */
  readonly upperPath: string | null
  /** File that becomes the next descriptor; null for none. */
  readonly endPath: string | null
  /** A recording that becomes the next descriptor, to be added to or read. */
  readonly recording?: { readonly mode: 'record' | 'replay'; readonly path: string }
  /** How many more descriptors are channels of this process. */
  readonly channels: number
  /** Whether it has one more descriptor, the last, at which it asks for file systems of this process. */
  readonly asksRemote: boolean
  /** Its stdio is nobody's. */
  readonly outlives: boolean
  /**
   * It is nobody's yet: its own files are made without a name in this folder, and get theirs by what {@link SandboxProcess.begin} is
   * told.
   */
  readonly later?: { readonly folder: string }
  readonly signal?: AbortSignal
}

/** Starts a sandbox behind the native wall. Resolves when it stands before its first instruction. */
export async function startWalled(plan: Plan, seccompName: string, start: SandboxStart): Promise<SandboxProcess> {
  const descriptors = openFiles(start)
  try {
    const launcher = launch(plan, {
      stdio: start.outlives
        ? ['ignore', 'ignore', 'ignore']
        : [start.openStdin ? 'pipe' : 'ignore', 'pipe', start.terminal ? 'ignore' : 'pipe'],
      descriptors: ['pipe', 'pipe', ...descriptors, ...channelEnds(start), ...(start.later === undefined ? [] : ['pipe' as const])],
      seccompProgramPath: assetPath(seccompName),
      ...(start.signal === undefined ? {} : { signal: start.signal }),
    })
    const [startStream, control, ...streams] = launcher.streams.filter((stream) => stream !== null)
    if (!startStream || !control) throw new EngineError('INTERNAL', 'the launcher has no pipes')
    for (const stream of [startStream, control, ...streams]) stream.on('error', () => {})
    const further = start.later === undefined ? undefined : streams.pop()
    const { channels, remote } = channelsOf(streams, start)
    const { created, receipt } = await launcher.ready
    return {
      pid: created.guest,
      stdin: launcher.stdin,
      stdout: launcher.stdout ?? Readable.from([]),
      stderr: start.terminal ? null : launcher.stderr,
      start: startStream,
      control,
      channels,
      remote,
      kernel: { pid: created.guest, texts: receipt },
      holders: { supervisor: launcher.pid, init: created.pid },
      ended: launcher.exited,
      begin: async (operations) => {
        if (further === undefined) throw notLater()
        further.end(encodePlan({ operations, exec: null }))
        await launcher.begin()
      },
      execute: () => launcher.go(),
      signal: (number) => launcher.signal(number),
      resize: (size) => launcher.resize(size),
      pause: () => launcher.pause(),
      resume: () => launcher.resume(),
      deadline: (milliseconds) => launcher.deadline(milliseconds),
      outlive: () => {
        launcher.outlive()
        launcher.release()
        for (const stream of [startStream, control]) (stream as Socket).unref()
      },
      kill: () => launcher.kill(),
    }
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor)
  }
}

/** Starts a sandbox as a plain child process with nothing of this one's environment: the Wasm wall alone. */
export function startAlone(nodeFlags: readonly string[], start: SandboxStart, program = SANDBOX_PROGRAM): SandboxProcess {
  start.signal?.throwIfAborted()
  if (start.outlives) throw needsWall('a container that goes on by itself')
  if (start.terminal)
    throw new EngineError('UNSUPPORTED_BY_HOST', '-t needs the native wall, which makes the terminal, and there is none here', {
      hint: 'Leave -t out, or see wolffia doctor.',
    })
  const descriptors = openFiles(start)
  try {
    const child = spawn(process.execPath, [...nodeFlags, assetPath(`sandbox/${program}`)], {
      stdio: [start.openStdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe', 'pipe', ...descriptors, ...channelEnds(start)],
      env: MEMORY_COPY_ENVIRONMENT,
      cwd: '/',
      detached: true,
    })
    const [, , , startStream, control, ...further] = child.stdio as unknown as readonly Duplex[]
    const streams = further.slice(descriptors.length)
    const { channels, remote } = channelsOf(streams, start)
    if (child.pid === undefined || startStream === undefined || control === undefined)
      throw new EngineError('SANDBOX_FAILED', `Node cannot be started: ${process.execPath}`)
    for (const stream of [startStream, control, ...streams, child]) stream.on('error', () => {})
    const abort = (): void => send(constants.signals.SIGKILL)
    start.signal?.addEventListener('abort', abort, { once: true })
    let gone = false
    const send = (number: number): void => {
      if (!gone) child.kill(number)
    }
    return {
      pid: child.pid,
      stdin: child.stdin,
      stdout: child.stdout as Readable,
      stderr: child.stderr,
      start: startStream,
      control,
      channels,
      remote,
      kernel: null,
      holders: null,
      ended: new Promise((resolve) => {
        child.on('exit', () => {
          gone = true
          start.signal?.removeEventListener('abort', abort)
        })
        child.on('close', (code, signal) => resolve({ code, signal: signal === null ? null : constants.signals[signal] }))
      }),
      begin: async () => {
        throw notLater()
      },
      execute: async () => {},
      signal: send,
      resize: () => {},
      pause: () => send(constants.signals.SIGSTOP),
      resume: () => send(constants.signals.SIGCONT),
      deadline: () => {},
      outlive: () => {
        throw needsWall('to go on by itself')
      },
      kill: () => send(constants.signals.SIGKILL),
    }
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor)
  }
}

function channelEnds({ channels, asksRemote }: SandboxStart): 'pipe'[] {
  return Array.from({ length: channels + (asksRemote ? 1 : 0) }, () => 'pipe')
}

function channelsOf(streams: readonly Duplex[], { channels }: SandboxStart): Pick<SandboxProcess, 'channels' | 'remote'> {
  return { channels: streams.slice(0, channels), remote: streams[channels] ?? null }
}

function needsWall(what: string): EngineError {
  return new EngineError('UNSUPPORTED_BY_HOST', `${what} needs the launcher of the native wall, and there is none here`, {
    hint: 'Run it in the foreground, or see wolffia doctor.',
  })
}

function notLater(): EngineError {
  return new EngineError('INTERNAL', 'the sandbox was started for a container')
}

/** A new file of the folder that has no name, and is gone when nobody has it open any more. Throws UNSUPPORTED_BY_HOST. */
function openNameless(folder: string): number {
  try {
    return openSync(folder, O_TMPFILE | openFlags.O_RDWR, 0o600)
  } catch (cause) {
    throw new EngineError('UNSUPPORTED_BY_HOST', `${folder}: its file system has no files without a name, which prewarming needs`, {
      cause,
      hint: 'Keep the store on another file system (WOLFFIA_HOME), or leave prewarming out.',
      data: { folder },
    })
  }
}

function openFiles({ upperPath, endPath, recording, later }: SandboxStart): number[] {
  const own: number[] = []
  for (const path of [upperPath, endPath])
    if (path !== null) own.push(later === undefined ? openSync(path, 'w', 0o600) : openNameless(later.folder))
  if (recording !== undefined) own.push(openSync(recording.path, recording.mode === 'record' ? 'a' : 'r'))
  return own
}
