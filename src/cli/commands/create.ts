import { idWriter } from '../cidfile.js'
import type { CliCommand } from '../command.js'
import { untilAborted } from '../foreground.js'
import { implicitPull } from '../pull-progress.js'
import { addCreateFlags, createOptions, rewriteValues } from '../run-options.js'

/** `wolffia create`: makes a container without starting it, and prints its id. */
export const command: CliCommand = {
  usage: 'IMAGE [COMMAND] [ARG...]',
  arity: [1, Number.POSITIVE_INFINITY],
  takesProgram: true,
  configure: addCreateFlags,
  rewrite: rewriteValues,
  async run(positional, options) {
    const wanted = createOptions(positional, options, process.env)
    const idTo = idWriter(options)
    return untilAborted(async (signals) => {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      const container = await engine.containers.define({ ...wanted, pullProgress: implicitPull(wanted, options), signal: signals.signal })
      idTo?.(container.id)
      process.stdout.write(`${container.id}\n`)
      return 0
    })
  },
}
