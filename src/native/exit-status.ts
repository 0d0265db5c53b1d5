import type { ExitedEvent } from '../launcher/protocol.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Limits } from '../runtime/limits.js'
import { signalName } from '../runtime/running-task.js'

/** What the launcher says of an exit, in the words of every wall. */
export function exitStatus({ code, signal, reason, duration_ns }: ExitedEvent, limits: Limits): ExitStatus {
  const name = signal === null ? undefined : signalName(signal)
  const detail = detailOf(reason, limits)
  return {
    exitCode: code ?? 128 + (signal ?? 0),
    ...(name === undefined ? {} : { signal: name }),
    reason,
    ...(detail === null ? {} : { detail }),
    durationMs: duration_ns / 1e6,
  }
}

function detailOf(reason: ExitedEvent['reason'], { timeoutMs, outputBytes, memoryBytes }: Limits): string | null {
  if (reason === 'timeout') return `killed after its time limit of ${timeoutMs} ms`
  if (reason === 'limit') return `killed after more than ${outputBytes} bytes of output`
  if (reason === 'out-of-memory') return `the kernel killed it, or a program in it, for more than ${memoryBytes} bytes of memory`
  return null
}
