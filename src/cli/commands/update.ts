import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'
import { restartPolicyOf } from '../life-options.js'
import { UsageError } from '../report.js'

/** `wolffia update`: changes what can be changed of containers, and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser.option('--restart <policy>', 'no, always, unless-stopped, on-failure[:times]')
  },
  async run(names, { restart, debug }) {
    if (restart === undefined)
      throw new UsageError('you must provide one or more flags when using this command', { exitCode: 1, hint: 'There is --restart.' })
    const policy = restartPolicyOf(String(restart))
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    return await forEach(names, { command: 'update', debug: debug === true }, async (name) => {
      await (await engine.containers.get(name)).update({ restart: policy })
      process.stdout.write(`${name}\n`)
    })
  },
}
