import type { CliCommand } from '../command.js'
import { forEachContainer } from '../each-container.js'
import { restartPolicyOf } from '../life-options.js'
import { limitsOf } from '../limit-flags.js'
import { UsageError } from '../report.js'
import { addUpdatableFlags, resourceOptions } from '../resource-flags.js'

/** `wolffia update`: changes what can be changed of containers, and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    addUpdatableFlags(parser)
    parser
      .option('--cpus <n>', 'processors at most: 0.5, 2')
      .option('-m, --memory <bytes>', 'memory at most: 64m, 1g')
      .option('--pids-limit <n>', 'processes and threads at most, from the next start on')
      .option('--restart <policy>', 'no, always, unless-stopped, on-failure[:times]')
  },
  async run(names, { debug, ...options }) {
    if (Object.keys(options).length === 0)
      throw new UsageError('you must provide one or more flags when using this command', {
        exitCode: 1,
        hint: 'There are --memory, --cpus, --restart and more: wolffia update --help.',
      })
    const [limits, resources] = [limitsOf(options), resourceOptions(options)]
    const update = {
      ...(options.restart === undefined ? {} : { restart: restartPolicyOf(String(options.restart)) }),
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
      ...(Object.keys(resources).length === 0 ? {} : { resources }),
    }
    return forEachContainer(names, { command: 'update', debug: debug === true }, (container) => container.update(update))
  },
}
