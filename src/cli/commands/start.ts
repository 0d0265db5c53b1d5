import { attachToStart, detachKeysOf } from '../attached.js'
import type { CliCommand } from '../command.js'
import { forEachContainer } from '../each-container.js'
import { SignalRelay } from '../foreground.js'
import { UsageError } from '../report.js'
import { terminalSize } from '../terminal.js'

/** `wolffia start`: starts containers, again or for the first time, and prints the name of each; with -a or -i takes part in one. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-a, --attach', 'take part in its output, and end with its exit code; signals go to it')
      .option('--detach-keys <keys>', 'what leaves a terminal without ending the container; ctrl-p,ctrl-q unless said')
      .option('-i, --interactive', 'take part in its input too')
  },
  async run(names, options) {
    const { attach, interactive, debug } = options
    const detachKeys = detachKeysOf(options)
    const takesPart = attach === true || interactive === true
    if (takesPart && names.length > 1) throw new UsageError('you cannot start and attach multiple containers at once', { exitCode: 1 })
    if (!takesPart) return forEachContainer(names, { command: 'start', debug: debug === true }, (container) => container.start())
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const signals = new SignalRelay()
    try {
      const container = await engine.containers.get(names[0] ?? '')
      return await attachToStart(container, {
        signals,
        detachKeys,
        terminalSize: terminalSize(),
        leavesBySignal: 'at-terminal',
        noStdin: interactive !== true,
      })
    } finally {
      signals.dispose()
    }
  },
}
