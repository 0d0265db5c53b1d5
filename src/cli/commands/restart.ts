import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'
import { stopOptions } from './stop.js'

/** `wolffia restart`: stops containers and starts them, and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-s, --signal <signal>', "what asks it to end; the container's own unless said")
      .option('-t, --timeout <seconds>', "how long it then has before SIGKILL; the container's own unless said, -1 is without end")
      .addOption(parser.createOption('--time <seconds>').hideHelp())
  },
  async run(names, options) {
    const how = stopOptions(options)
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    return await forEach(names, { command: 'restart', debug: options.debug === true, atOnce: true }, async (name) => {
      await (await engine.containers.get(name)).restart(how)
      process.stdout.write(`${name}\n`)
    })
  },
}
