import type { Command } from 'commander'
import { parseSignal } from '../../engine/words.js'
import type { CliCommand } from '../command.js'
import { forEachContainer } from '../each-container.js'
import { secondsOf } from '../life-options.js'

/** Adds the flags that `stop` and `restart` share. */
export function addStopFlags(parser: Command): void {
  parser
    .option('-s, --signal <signal>', "what asks it to end; the container's own unless said")
    .option('-t, --timeout <seconds>', "how long it then has before SIGKILL; the container's own unless said, -1 is without end")
    .addOption(parser.createOption('--time <seconds>').hideHelp())
}

/** What those flags say. */
export function stopOptions({ signal, timeout, time }: Readonly<Record<string, unknown>>) {
  const seconds = timeout ?? time
  return {
    ...(signal === undefined ? {} : { signal: parseSignal(String(signal)) }),
    ...(seconds === undefined ? {} : { timeoutMs: secondsOf(String(seconds), '-t, --timeout') * 1000 }),
  }
}

/** `wolffia stop`: asks containers to end, kills those that do not in time, and prints the name of each. */
export const command: CliCommand = {
  usage: 'CONTAINER [CONTAINER...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure: addStopFlags,
  async run(names, options) {
    const how = stopOptions(options)
    // All at once: each may take its ten seconds.
    return forEachContainer(names, { command: 'stop', debug: options.debug === true, atOnce: true }, (container) => container.stop(how))
  },
}
