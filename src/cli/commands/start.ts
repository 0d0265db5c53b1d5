import { attachToStart, detachKeysOf } from '../attached.js'
import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'
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
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    if (!takesPart)
      return await forEach(names, { command: 'start', debug: debug === true }, async (name) => {
        await (await engine.containers.get(name)).start()
        process.stdout.write(`${name}\n`)
      })
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
