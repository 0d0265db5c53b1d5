import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'

/** `wolffia wait`: waits until containers have ended, and prints the exit code of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure() {},
  async run(names, { debug }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    return await forEach(names, { command: 'wait', debug: debug === true }, async (name) => {
      const container = await engine.containers.get(name)
      // As docker: one that has never run is not waited for.
      const { exitCode } = container.status === 'created' ? { exitCode: 0 } : await container.wait()
      process.stdout.write(`${exitCode}\n`)
    })
  },
}
