import type { CliCommand } from '../command.js'
import { forEachContainer } from '../each-container.js'
import { addStopFlags, stopOptions } from './stop.js'

/** `wolffia restart`: stops containers and starts them, and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure: addStopFlags,
  async run(names, options) {
    const how = stopOptions(options)
    return forEachContainer(names, { command: 'restart', debug: options.debug === true, atOnce: true }, (container) =>
      container.restart(how),
    )
  },
}
