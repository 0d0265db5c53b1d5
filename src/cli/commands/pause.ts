import type { CliCommand } from '../command.js'
import { forEachContainer } from '../each-container.js'

function of(name: 'pause' | 'unpause'): CliCommand {
  return {
    usage: 'CONTAINER [CONTAINER...]',
    arity: [1, Number.POSITIVE_INFINITY],
    configure() {},
    async run(names, { debug }) {
      return forEachContainer(names, { command: name, debug: debug === true }, (container) => container[name]())
    },
  }
}

/** `wolffia pause`: stops all processes of containers where they are, and prints the name of each. */
export const pause = of('pause')

/** `wolffia unpause`: lets them go on. */
export const unpause = of('unpause')
