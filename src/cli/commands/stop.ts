import { parseSignal } from '../../engine/words.js'
import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'
import { secondsOf } from '../life-options.js'

/** Flags that `stop` and `restart` share. */
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
  configure(parser) {
    parser
      .option('-s, --signal <signal>', "what asks it to end; the container's own unless said")
      .option('-t, --timeout <seconds>', "how long it then has before SIGKILL; the container's own unless said, -1 is without end")
      .addOption(parser.createOption('--time <seconds>').hideHelp())
  },
  async run(names, options) {
    const how = stopOptions(options)
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    // All at once: each may take its ten seconds.
    return await forEach(names, { command: 'stop', debug: options.debug === true, atOnce: true }, async (name) => {
      await (await engine.containers.get(name)).stop(how)
      process.stdout.write(`${name}\n`)
    })
  },
}
