import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'

function of(name: 'pause' | 'unpause'): CliCommand {
  return {
    usage: 'CONTAINER [CONTAINER...]',
    arity: [1, Number.POSITIVE_INFINITY],
    configure() {},
    async run(names, { debug }) {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      return await forEach(names, { command: name, debug: debug === true }, async (container) => {
        await (await engine.containers.get(container))[name]()
        process.stdout.write(`${container}\n`)
      })
    },
  }
}

/** `wolffia pause`: stops all processes of containers where they are, and prints the name of each. */
export const pause = of('pause')

/** `wolffia unpause`: lets them go on. */
export const unpause = of('unpause')
