import { resolve } from 'node:path'
import type { CliCommand } from '../command.js'
import { runInForeground, signalTarget, untilAborted } from '../foreground.js'
import { printable } from '../output.js'

/** `wolffia replay`: runs what a recording was made of once more, answered from the recording alone, and ends with the same exit code. */
export const command: CliCommand = {
  usage: 'FILE',
  arity: [1, 1],
  configure: () => {},
  async run([file = '']) {
    return untilAborted(async (signals) => {
      const { replayOptions } = await import('../../engine/replay.js')
      const options = replayOptions(resolve(file))
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      const container = await engine.containers.create({ ...options, signal: signals.signal })
      signals.forwardTo(signalTarget(container))
      const status = await runInForeground(container, {
        signals,
        left: undefined,
        detachKeys: undefined,
        shown: { stdout: true, stderr: true },
      })
      if (status === 'detached' || status === 'left') return 0
      const note = status.reason === 'exited' || status.detail?.startsWith('wasm trap') ? null : status.detail
      if (note !== null && note !== undefined) process.stderr.write(`wolffia: ${printable(note)}\n`)
      return status.exitCode
    })
  },
}
