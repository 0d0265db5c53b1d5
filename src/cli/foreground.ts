import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Container } from '../container/container.js'
import type { ExitStatus } from '../runtime/exit.js'
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

/** Signals to this process, from before there is a container until after its end. */
export class SignalRelay {
  readonly #abort = new AbortController()
  readonly #listeners: (readonly [NodeJS.Signals, () => void])[] = []
  #container: Container | null = null
  #lastEnding = Number.NEGATIVE_INFINITY
  #abortedBy: NodeJS.Signals | null = null

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

  /** From now on signals go to this container. */
  forwardTo(container: Container): void {
    this.#container = container
  }

  /** The container runs: signals that only a running program can mean anything by go to it too. */
  forwardAll(): void {
    for (const signal of FORWARDED) this.#listen(signal)
  }

  dispose(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener)
  }

  #listen(signal: NodeJS.Signals): void {
    const listener = () => this.#received(signal)
    this.#listeners.push([signal, listener])
    process.on(signal, listener)
  }

  #received(signal: NodeJS.Signals): void {
    const container = this.#container
    const isEnding = (ENDING as readonly NodeJS.Signals[]).includes(signal)
    if (container === null) {
      if (!isEnding) return
      this.#abortedBy ??= signal
      this.#abort.abort(new Error(`received ${signal}`))
      return
    }
    // The guest's own terminal says so when its size changes.
    if (signal === 'SIGWINCH' && container.spec.process.terminal) return
    const again = isEnding && Date.now() - this.#lastEnding < ESCALATION_MS
    if (isEnding) this.#lastEnding = Date.now()
    // It may have ended in this very moment: then there is nobody to tell.
    container.kill(again ? 'SIGKILL' : signal).catch(() => {})
  }
}

/** Starts a created container with this process's stdio as its own, and waits until it has ended and all it wrote is written. */
export async function runInForeground(container: Container, signals: SignalRelay): Promise<ExitStatus> {
  const { terminal } = container.spec.process
  const copies = [copy(container.stdout, process.stdout), copy(container.stderr, process.stderr)]
  const restoreTerminal = terminal && container.stdin !== null && process.stdin.isTTY ? enterRawMode(process.stdin) : () => {}
  const unwatch = terminal ? watchTerminalSize((size) => void container.resize(size).catch(() => {})) : () => {}
  try {
    await container.start()
    signals.forwardAll()
    feedStdin(container)
    const status = await container.wait()
    await Promise.all(copies)
    return status
  } finally {
    unwatch()
    restoreTerminal()
    // Not even looked at where nobody asked for it: to look is to open it.
    if (container.stdin !== null) process.stdin.unpipe().destroy()
  }
}

function feedStdin({ stdin }: Container): void {
  if (stdin === null) return
  // A guest that ended or closed its stdin is no error; what was not read is lost, as in a pipe.
  stdin.on('error', () => process.stdin.unpipe(stdin))
  process.stdin.on('error', () => stdin.end())
  process.stdin.pipe(stdin)
}

/** Copies until the guest's end. When our reader goes away the guest's pipe is closed too, so that it meets SIGPIPE as in a shell. */
async function copy(from: Readable | null, to: NodeJS.WriteStream): Promise<void> {
  if (from === null) return
  to.on('error', () => from.destroy())
  from.pipe(to, { end: false })
  await finished(from).catch(() => {})
}
