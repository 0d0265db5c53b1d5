import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'
import { report } from '../report.js'

/** `wolffia rm`: removes containers and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser.option('-f, --force', 'kill those that run (SIGKILL); one that does not exist is told and is no failure')
  },
  async run(names, { force, debug }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const context = { command: 'rm', debug: debug === true }
    return forEach(names, context, async (name) => {
      try {
        const container = await engine.containers.get(name)
        await container.remove({ force: force === true })
      } catch (error) {
        if (force !== true || !(error instanceof EngineError && error.code === 'CONTAINER_NOT_FOUND')) throw error
        report(error, { parser: null, ...context })
        return
      }
      process.stdout.write(`${name}\n`)
    })
  },
}
