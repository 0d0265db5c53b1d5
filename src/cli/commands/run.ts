import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Container } from '../../container/container.js'
import type { ContainerOptions } from '../../engine/containers.js'
import { afterCleanUp, EngineError, messageOf } from '../../errors.js'
import type { ExitStatus } from '../../runtime/exit.js'
import type { Receipt } from '../../runtime/receipt.js'
import { attachToStart, detachKeysOf } from '../attached.js'
import { idWriter } from '../cidfile.js'
import type { CliCommand, CliOptions } from '../command.js'
import { runInForeground, type Shown, type SignalRelay, signalTarget, untilAborted } from '../foreground.js'
import { printable } from '../output.js'
import { implicitPull } from '../pull-progress.js'
import { UsageError } from '../report.js'
import { addRunFlags, attachedStreams, createOptions, rewriteValues } from '../run-options.js'
import { terminalSize } from '../terminal.js'
import { whyWriter } from '../why.js'

/** `wolffia run`: create, attach, start, wait. Prints nothing of its own on success and ends with the guest's exit code. */
export const command: CliCommand = {
  usage: 'IMAGE [COMMAND] [ARG...]',
  arity: [1, Number.POSITIVE_INFINITY],
  takesProgram: true,
  configure: addRunFlags,
  rewrite: rewriteValues,
  async run(positional, options) {
    const wanted = createOptions(positional, options, process.env)
    const isDetached = options.detach === true
    const shown = attachedStreams(options)
    const proxiesSignals = options.sigProxy !== false
    if (isDetached && options.attach !== undefined)
      throw new UsageError('conflicting options: cannot specify both --attach and --detach', { exitCode: 1 })
    if (!isDetached && wanted.tty && wanted.openStdin && !process.stdin.isTTY)
      throw new UsageError('the input device is not a TTY', { exitCode: 1, hint: 'Leave out -t when stdin is a pipe or a file.' })
    const detachKeys = detachKeysOf(options)
    const receiptTo = receiptWriter(options)
    const why = whyWriter(options)
    const idTo = idWriter(options)
    const lazy = lazyReader(options)
    return untilAborted(async (signals) => {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      const size = wanted.tty ? { terminalSize: terminalSize() } : {}
      const watch = why === null ? {} : { watch: 'refused' as const }
      const request = { ...wanted, ...lazy, ...size, ...watch, pullProgress: implicitPull(wanted, options), signal: signals.signal }
      // What is started again after its end is nobody's from the beginning.
      if (isDetached || (wanted.restart !== undefined && wanted.restart.name !== 'no')) {
        const container = await engine.containers.define({ ...request, keepStdin: isDetached })
        idTo?.(container.id)
        return await startDefined(container, { isDetached, signals, proxiesSignals, detachKeys, shown, receiptTo })
      }
      const container = await engine.containers.create(request)
      idTo?.(container.id)
      let left: Promise<NodeJS.Signals> | undefined
      if (proxiesSignals) signals.forwardTo(signalTarget(container))
      else left = signals.next()
      await receiptTo?.(await container.receipt())
      const status = await runInForeground(container, { signals, left, detachKeys, shown })
      if (status === 'detached') return 0
      if (status === 'left') return 128 + constants.signals[(await left) ?? 'SIGTERM']
      await why?.(await container.systemCalls())
      const note = noteOf(status, options)
      if (note !== null) process.stderr.write(`wolffia: ${printable(note)}\n`)
      return status.exitCode
    })
  },
}

/** `--lazy`: says what keeps files away, each reason once. */
function lazyReader({ lazy, rm, detach }: CliOptions): Pick<ContainerOptions, 'lazy'> {
  if (lazy !== true) return {}
  if (rm !== true || detach === true)
    throw new UsageError(`conflicting options: --lazy and ${rm === true ? '--detach' : 'no --rm'}`, {
      exitCode: 1,
      hint: 'What is read while it comes is not kept, and comes through this command: use --lazy with --rm, in the foreground.',
    })
  const said = new Set<string>()
  return {
    lazy: (failure) => {
      const message = printable(messageOf(failure))
      if (said.has(message)) return
      said.add(message)
      process.stderr.write(`wolffia: a file of the image cannot be read: ${message}\n`)
    },
  }
}

interface DefinedRun {
  readonly isDetached: boolean
  readonly signals: SignalRelay
  readonly proxiesSignals: boolean
  readonly detachKeys: readonly number[] | undefined
  readonly shown: Shown
  readonly receiptTo: ((receipt: Receipt) => Promise<void>) | null
}

/** Starts a container that is nobody's; what could not be started is taken back with --rm, and else kept, as docker does. */
async function startDefined(
  container: Container,
  { isDetached, signals, proxiesSignals, detachKeys, shown, receiptTo }: DefinedRun,
): Promise<number> {
  try {
    if (!isDetached) {
      const leaving = proxiesSignals ? {} : { leavesBySignal: 'always' as const }
      return await attachToStart(container, { signals, detachKeys, shown, terminalSize: terminalSize(), ...leaving })
    }
    await container.start()
  } catch (error) {
    throw container.summary().autoRemove ? await afterCleanUp(error, () => container.remove({ force: true, volumes: true })) : error
  }
  await receiptTo?.(await container.receipt())
  process.stdout.write(`${container.id}\n`)
  return 0
}

/** What the exit code does not say: which limit ended the guest, or that its wall was lost. Of a trap the sandbox has told on stderr. */
function noteOf({ reason, detail }: ExitStatus, { timeout }: CliOptions): string | null {
  if (reason === 'exited' || (reason === 'signaled' && detail?.startsWith('wasm trap'))) return null
  // One sentence whichever wall it was.
  if (reason === 'timeout') return `killed after its time limit of ${/[a-zµ]$/.test(String(timeout)) ? timeout : `${timeout}s`}`
  return detail ?? (reason === 'signaled' ? null : `ended by its limit (${reason})`)
}

/** Where the receipt goes: a file that is opened for writing before anything runs, stderr, or nowhere. */
function receiptWriter({ receipt, receiptFile }: CliOptions): ((receipt: Receipt) => Promise<void>) | null {
  if (receiptFile === undefined || receiptFile === '-')
    return receipt === true || receiptFile === '-' ? (document) => writeToStderr(textOf(document)) : null
  const path = String(receiptFile)
  const write = (text: string) => {
    try {
      writeFileSync(path, text, { mode: 0o600 })
    } catch (cause) {
      throw unwritten(path, cause)
    }
  }
  write('')
  return async (document) => write(textOf(document))
}

function writeToStderr(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stderr.write(text, (cause) => (cause ? reject(unwritten('stderr', cause)) : resolve()))
  })
}

function unwritten(where: string, cause: unknown): EngineError {
  return new EngineError('INVALID_ARGUMENT', `cannot write the receipt to ${where}: ${messageOf(cause)}`, { cause })
}

function textOf(receipt: Receipt): string {
  return `${JSON.stringify(receipt, null, 2)}\n`
}
