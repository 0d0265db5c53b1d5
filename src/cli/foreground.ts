import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { isatty } from 'node:tty'
import type { Container } from '../container/container.js'
import { EngineError } from '../errors.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { TerminalSize } from '../runtime/runtime.js'
import { DEFAULT_DETACH_KEYS, DetachKeys, parseDetachKeys } from './detach-keys.js'
import { enterRawMode, watchTerminalSize } from './terminal.js'

/** Signals that ask a program to end: before there is a container they end its making. */
const ENDING = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const
/** Said to nobody while there is no container, and never to Node, which would open itself to a debugger. */
const FREE = ['SIGUSR1', 'SIGUSR2'] as const
/**
 * The others that go on to the guest, once it runs: all that docker's do (all but CHLD, PIPE, URG, KILL and STOP) and Node can hear of, which
 * are no real-time ones and not PROF, by which its own profiler lives. Not those that mean a fault of this very process (SEGV, BUS, FPE,
 * ILL), nor TTIN and TTOU, which stop a command in the background until the terminal is its own. SIGINT comes from ^C only without a
 * terminal of the guest's own, which turns ^C into a byte.
 */
const FORWARDED = [
  ...(['SIGCONT', 'SIGTSTP', 'SIGWINCH', 'SIGALRM', 'SIGVTALRM', 'SIGXCPU', 'SIGXFSZ', 'SIGIO', 'SIGPWR'] as const),
  ...(['SIGSTKFLT', 'SIGSYS', 'SIGTRAP', 'SIGABRT'] as const),
]
/** A second ^C within this time says that asking was not enough. */
const ESCALATION_MS = 3000

/** Who gets the signals that this process gets. */
export interface SignalTarget {
  readonly hasTerminal: boolean
  kill(signal: NodeJS.Signals): Promise<void>
}

/** A container as one. */
export function signalTarget(container: Container): SignalTarget {
  return { hasTerminal: container.spec.process.terminal, kill: (signal) => container.kill(signal) }
}

/** Signals to this process, from before there is a container until after its end. */
export class SignalRelay {
  readonly #abort = new AbortController()
  readonly #listeners: (readonly [NodeJS.Signals, () => void])[] = []
  #target: SignalTarget | null = null
  #lastEnding = Number.NEGATIVE_INFINITY
  #abortedBy: NodeJS.Signals | null = null
  #hasHungUp = false
  readonly #terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor))

  constructor() {
    for (const signal of [...ENDING, ...FREE]) this.#listen(signal)
  }

  /** Aborts when this process is asked to end before there is a container to ask. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Exit code for having been asked to end before there was a container; null when that did not happen. */
  get abortedExitCode(): number | null {
    return this.#abortedBy === null ? null : 128 + constants.signals[this.#abortedBy]
  }

  /** From now on signals go there. */
  forwardTo(target: SignalTarget): void {
    this.#target = target
  }

  /** The next that this process gets: from now on they go nowhere else. */
  next(): Promise<NodeJS.Signals> {
    return new Promise((resolve) => this.forwardTo({ hasTerminal: true, kill: async (signal) => resolve(signal) }))
  }

  /** The container runs: signals that only a running program can mean anything by go to it too. */
  forwardAll(): void {
    for (const signal of FORWARDED) this.#listen(signal)
  }

  dispose(): void {
    const leave = () => {
      for (const [signal, listener] of this.#listeners) process.off(signal, listener)
    }
    // A command that is at its end exits before that, and each signal would cost it some ten system calls. Who has hung up is to be ended by it.
    if (this.#hasHungUp) leave()
    else setImmediate(leave).unref()
    if (this.#hasHungUp && this.#terminals.some((descriptor) => !isatty(descriptor))) process.once('exit', endByHangUp)
  }

  #listen(signal: NodeJS.Signals): void {
    const listener = () => this.#received(signal)
    this.#listeners.push([signal, listener])
    process.on(signal, listener)
  }

  #received(signal: NodeJS.Signals): void {
    if (signal === 'SIGHUP') this.#hasHungUp = true
    const target = this.#target
    const isEnding = (ENDING as readonly NodeJS.Signals[]).includes(signal)
    if (target === null) {
      if (!isEnding) return
      this.#abortedBy ??= signal
      this.#abort.abort(new Error(`received ${signal}`))
      return
    }
    // The guest's own terminal says so when its size changes.
    if (signal === 'SIGWINCH' && target.hasTerminal) return
    const again = isEnding && Date.now() - this.#lastEnding < ESCALATION_MS
    if (isEnding) this.#lastEnding = Date.now()
    // It may have ended in this very moment: then there is nobody to tell.
    target.kill(again ? 'SIGKILL' : signal).catch(() => {})
  }
}

/** At its end Node gives its terminal back its settings, and aborts where the terminal is gone. */
function endByHangUp(): void {
  process.kill(process.pid, 'SIGHUP')
}

/** A guest's stdio and what can be told to it: a container's, an attachment's, one more program's. */
export interface Conversation {
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Null where there is no terminal. */
  readonly resize: ((size: TerminalSize) => Promise<void>) | null
}

/** Which of a guest's outputs are shown. What is not is read and forgotten, so that the guest does not wait for it. */
export interface Shown {
  readonly stdout: boolean
  readonly stderr: boolean
}

/** How this process takes part in one. */
export interface ConversationOptions {
  /** Both unless said. */
  readonly shown?: Shown
  /** What leaves it at a terminal. */
  readonly detachKeys?: readonly number[]
  /** Leaves it when it resolves. */
  readonly left?: Promise<unknown>
  /** Lets the guest go, once its output is read. */
  begin?(): Promise<void>
  /** Resolves when the guest has ended. */
  end(): Promise<void>
}

/**
 * Takes part in a guest's stdio with this process's own, until the guest has ended and all it wrote is written, or its user leaves by the
 * detach keys. Resolves with whether he did.
 */
export async function converse(
  { stdin, stdout, stderr, resize }: Conversation,
  { detachKeys = parseDetachKeys(DEFAULT_DETACH_KEYS), shown, left = new Promise(() => {}), begin, end }: ConversationOptions,
): Promise<'ended' | 'detached' | 'left'> {
  const copies = [
    shown?.stdout === false ? forget(stdout) : copy(stdout, process.stdout),
    shown?.stderr === false ? forget(stderr) : copy(stderr, process.stderr),
  ]
  const atTerminal = resize !== null && stdin !== null && process.stdin.isTTY
  const restoreTerminal = atTerminal ? enterRawMode(process.stdin) : () => {}
  const unwatch = resize === null ? () => {} : watchTerminalSize((size) => void resize(size).catch(() => {}))
  try {
    await begin?.()
    const detached = feedStdin(stdin, atTerminal ? new DetachKeys(detachKeys) : null)
    const ended = end().then(() => Promise.all(copies))
    const first = await Promise.race([
      ended.then(() => 'ended' as const),
      detached.then(() => 'detached' as const),
      left.then(() => 'left' as const),
    ])
    if (first === 'detached') process.stderr.write('\r\n')
    return first
  } finally {
    unwatch()
    restoreTerminal()
    // Not even looked at where nobody asked for it: to look is to open it.
    if (stdin !== null) process.stdin.unpipe().destroy()
  }
}

/** How this process takes part in a container of its own. */
export interface ForegroundOptions {
  readonly signals: SignalRelay
  /** Leaves the container to itself when it resolves; signals do not go to it then. */
  readonly left?: Promise<unknown> | undefined
  readonly detachKeys?: readonly number[] | undefined
  readonly shown: Shown
}

/** Starts a container of this process's own with this process's stdio, and waits for its end, or until its user has left it. */
export async function runInForeground(
  container: Container,
  { signals, left, detachKeys, shown }: ForegroundOptions,
): Promise<ExitStatus | 'detached' | 'left'> {
  const { stdin, stdout, stderr, spec } = container
  const resize = spec.process.terminal ? (size: TerminalSize) => container.resize(size) : null
  const outcome = await converse(
    { stdin, stdout, stderr, resize },
    {
      ...(detachKeys === undefined ? {} : { detachKeys }),
      shown,
      ...(left === undefined ? {} : { left }),
      begin: async () => {
        await container.start()
        if (left === undefined) signals.forwardAll()
      },
      end: async () => {
        await container.wait()
      },
    },
  )
  if (outcome === 'ended') return container.wait()
  await container.detach()
  return outcome
}

/** Resolves when the keys have been typed. */
function feedStdin(stdin: Writable | null, keys: DetachKeys | null): Promise<void> {
  if (stdin === null) return new Promise(() => {})
  // A guest that ended or closed its stdin is no error; what was not read is lost, as in a pipe.
  stdin.on('error', () => process.stdin.unpipe())
  process.stdin.on('error', () => stdin.end())
  if (keys === null) {
    process.stdin.pipe(stdin)
    return new Promise(() => {})
  }
  return new Promise((resolve) => {
    process.stdin.on('data', (chunk: Buffer) => {
      const { passed, detached } = keys.take(chunk)
      if (passed.length > 0 && !stdin.write(passed)) {
        process.stdin.pause()
        stdin.once('drain', () => process.stdin.resume())
      }
      if (detached) resolve()
    })
    process.stdin.on('end', () => stdin.end())
  })
}

async function forget(from: Readable | null): Promise<void> {
  if (from === null) return
  from.resume()
  await finished(from).catch(() => {})
}

/** Copies until the guest's end. When our reader goes away the guest's pipe is closed too, so that it meets SIGPIPE as in a shell. */
async function copy(from: Readable | null, to: NodeJS.WriteStream): Promise<void> {
  if (from === null) return
  to.on('error', () => from.destroy())
  from.pipe(to, { end: false })
  await finished(from).catch(() => {})
}

/**
 * Runs what a signal may end before there is a container to pass it on to: its exit code, or that of the signal. Signals are listened to until it
 * is done.
 */
export async function untilAborted(action: (signals: SignalRelay) => Promise<number>): Promise<number> {
  const signals = new SignalRelay()
  try {
    return await action(signals)
  } catch (error) {
    if (error instanceof EngineError && error.code === 'ABORTED' && signals.abortedExitCode !== null) return signals.abortedExitCode
    throw error
  } finally {
    signals.dispose()
  }
}
