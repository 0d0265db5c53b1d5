import type { CliCommand } from '../command.js'
import { invalidFlag } from '../invalid-flag.js'
import { writeAtReadersPace } from '../slow-reader.js'
import { parseTime } from '../time-flag.js'

/** `wolffia logs`: what a container has written, its stdout to ours and its stderr to ours. */
export const command: CliCommand = {
  usage: 'CONTAINER',
  arity: [1, 1],
  configure(parser) {
    parser
      .option('-f, --follow', 'go on with what it goes on to write')
      .option('--since <time>', 'only what is newer: 2026-01-02T15:04:05Z, 10m')
      .option('-n, --tail <lines>', 'only so many of the last lines; all unless said')
      .option('-t, --timestamps', 'with the time of each line')
      .option('--until <time>', 'only what is older: 2026-01-02T15:04:05Z, 10m')
  },
  async run([name = ''], { follow, since, tail, timestamps, until }) {
    const now = Date.now()
    const lines = tail === undefined ? 'all' : String(tail)
    if (lines !== 'all' && !/^-?\d+$/.test(lines)) throw invalidFlag(lines, '-n, --tail', 'not a number', 'Give a number, or all.')
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const container = await engine.containers.get(name)
    const stop = new AbortController()
    process.stdout.on('error', () => stop.abort())
    const entries = container.logs({
      follow: follow === true,
      signal: stop.signal,
      ...(since === undefined ? {} : { since: parseTime(String(since), now) }),
      ...(until === undefined ? {} : { until: parseTime(String(until), now) }),
      ...(lines === 'all' || lines.startsWith('-') ? {} : { tail: Number(lines) }),
    })
    for await (const { stream, time, text } of entries) {
      const out = stream === 'stdout' ? process.stdout : process.stderr
      await writeAtReadersPace(out, timestamps === true ? `${time} ${text}` : text, stop.signal)
      if (stop.signal.aborted) break
    }
    return 0
  },
}
