import { attachTo, detachKeysOf } from '../attached.js'
import type { CliCommand } from '../command.js'
import { SignalRelay } from '../foreground.js'
import { terminalSize } from '../terminal.js'

/** `wolffia attach`: takes part in the stdio of a container that runs, and ends with its exit code. */
export const command: CliCommand = {
  usage: 'CONTAINER',
  arity: [1, 1],
  configure(parser) {
    parser
      .option('--detach-keys <keys>', 'what leaves a terminal without ending the container; ctrl-p,ctrl-q unless said')
      .option('--no-stdin', 'only its output')
      .option('--sig-proxy', 'signals to this command go to the container; with --sig-proxy=false they end the command alone')
      .addOption(parser.createOption('--no-sig-proxy').hideHelp())
  },
  async run([name = ''], options) {
    const { stdin, sigProxy } = options
    const detachKeys = detachKeysOf(options)
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const container = await engine.containers.get(name)
    const signals = sigProxy === false ? null : new SignalRelay()
    try {
      return await attachTo(container, {
        signals,
        detachKeys,
        terminalSize: terminalSize(),
        leavesBySignal: 'at-terminal',
        noStdin: stdin === false,
      })
    } finally {
      signals?.dispose()
    }
  },
}
