import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'

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
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const forgiven = force === true ? 'CONTAINER_NOT_FOUND' : undefined
    return await forEach(names, { command: 'rm', debug: debug === true, forgiven }, async (name) => {
      const container = await engine.containers.get(name)
      await container.remove({ force: force === true, volumes: volumes === true })
      process.stdout.write(`${name}\n`)
    })
  },
}
