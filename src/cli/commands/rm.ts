import type { CliCommand } from '../command.js'
import { forEachContainer } from '../each-container.js'

/** `wolffia rm`: removes containers and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-f, --force', 'kill those that run (SIGKILL), and pass over what does not exist')
      .option('-v, --volumes', 'remove the anonymous volumes that were made for them too')
  },
  async run(names, { force, volumes, debug }) {
    const forgiven = force === true ? 'CONTAINER_NOT_FOUND' : undefined
    const how = { force: force === true, volumes: volumes === true }
    return forEachContainer(names, { command: 'rm', debug: debug === true, forgiven }, (container) => container.remove(how))
  },
}
