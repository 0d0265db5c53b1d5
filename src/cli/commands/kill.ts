import { parseSignal } from '../../engine/words.js'
import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'

/** `wolffia kill`: sends containers a signal, SIGKILL unless said, and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser.option('-s, --signal <signal>', 'which: TERM, SIGHUP, 9; KILL unless said')
  },
  async run(names, { signal, debug }) {
    const wanted = signal === undefined ? 'SIGKILL' : parseSignal(String(signal))
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    return await forEach(names, { command: 'kill', debug: debug === true }, async (name) => {
      await (await engine.containers.get(name)).kill(wanted)
      process.stdout.write(`${name}\n`)
    })
  },
}
