import { constants } from 'node:os'
import type { Container } from '../container/container.js'
import type { Attachment, TerminalSize } from '../runtime/runtime.js'
import type { CliOptions } from './command.js'
import { parseDetachKeys } from './detach-keys.js'
import { converse, type Shown, type SignalRelay, signalTarget } from './foreground.js'

/** How this process takes part in a container that is nobody's. */
export interface AttachedOptions {
  /** Those that this process gets go to the container; null where they do not. */
  readonly signals: SignalRelay | null
  readonly detachKeys: readonly number[] | undefined
  readonly terminalSize?: TerminalSize
  /** Which of its outputs are shown; both unless said. */
  readonly shown?: Shown
  /** Only its output. */
  readonly noStdin?: boolean
  /**
   * When a signal ends this process alone: never unless said, or where the guest has a terminal of its own, as with docker's `attach` and
   * `start`: a window that is closed ends no guest.
   */
  readonly leavesBySignal?: 'always' | 'at-terminal'
}

/** The keys of `--detach-keys`. Throws INVALID_ARGUMENT. */
export function detachKeysOf({ detachKeys }: CliOptions): readonly number[] | undefined {
  return detachKeys === undefined || detachKeys === '' ? undefined : parseDetachKeys(String(detachKeys))
}

/** Starts a container and takes part in its stdio from its first byte on. Resolves with its exit code, 0 when its user has left it. */
export async function attachToStart(container: Container, options: AttachedOptions): Promise<number> {
  const { terminalSize } = options
  const attachment = await container.start({ attach: true, ...(terminalSize === undefined ? {} : { terminalSize }) })
  return attachment === null ? (await container.wait()).exitCode : converseWith(container, attachment, options)
}

/** Takes part in the stdio of a container that runs. Resolves with its exit code, 0 when its user has left it. */
export async function attachTo(container: Container, options: AttachedOptions): Promise<number> {
  const attachment = await container.attach()
  const { terminalSize } = options
  if (container.spec.process.terminal && terminalSize !== undefined && process.stdout.isTTY) await redraw(container, terminalSize)
  return converseWith(container, attachment, options)
}

/** As docker: a program that draws does so again when its terminal changes its size. */
async function redraw(container: Container, { rows, columns }: TerminalSize): Promise<void> {
  await container.resize({ rows: rows + 1, columns: columns + 1 })
  await container.resize({ rows, columns })
}

async function converseWith(
  container: Container,
  attachment: Attachment,
  { signals, detachKeys, shown, noStdin, leavesBySignal }: AttachedOptions,
): Promise<number> {
  const { terminal } = container.spec.process
  let left: Promise<NodeJS.Signals> | undefined
  const leaves = leavesBySignal === 'always' || (leavesBySignal === 'at-terminal' && terminal)
  if (signals !== null && leaves) left = signals.next()
  else {
    signals?.forwardTo(signalTarget(container))
    signals?.forwardAll()
  }
  // Asked for now: one that is removed at its end cannot be asked any more then.
  const exit = container.wait()
  exit.catch(() => {})
  const outcome = await converse(
    {
      stdin: container.settings.openStdin && noStdin !== true ? attachment.stdin : null,
      stdout: attachment.stdout,
      stderr: attachment.stderr,
      resize: terminal ? (size) => container.resize(size) : null,
    },
    {
      ...(detachKeys === undefined ? {} : { detachKeys }),
      ...(left === undefined ? {} : { left }),
      ...(shown === undefined ? {} : { shown }),
      end: async () => {
        await exit
      },
    },
  )
  attachment.close()
  if (outcome === 'left' && left !== undefined) return 128 + constants.signals[await left]
  return outcome === 'detached' ? 0 : (await exit).exitCode
}
