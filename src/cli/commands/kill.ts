import { parseSignal } from '../../engine/words.js'
import type { CliCommand } from '../command.js'
import { forEachContainer } from '../each-container.js'

/** `wolffia kill`: sends containers a signal, SIGKILL unless said, and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser.option('-s, --signal <signal>', 'which: TERM, SIGHUP, 9; KILL unless said')
  },
  async run(names, { signal, debug }) {
    const wanted = signal === undefined ? 'SIGKILL' : parseSignal(String(signal))
    return forEachContainer(names, { command: 'kill', debug: debug === true }, (container) => container.kill(wanted))
  },
}
