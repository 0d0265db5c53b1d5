import type { CliCommand } from '../command.js'
import { untilAborted } from '../foreground.js'
import { UsageError } from '../report.js'

/** `wolffia snapshot`: initialises an image's module once, and makes an image that begins there. Prints its id. */
export const command: CliCommand = {
  usage: 'IMAGE REPOSITORY[:TAG]',
  arity: [2, 2],
  configure(parser) {
    parser
      .option(
        '--init <function>',
        'exported function that initialises it, after _initialize; wizer-initialize unless said, where there is one',
      )
      .option('-m, --message <text>', "comment in the image's history")
      .option('--timeout <seconds>', 'how long it may take; 10 unless said')
  },
  run([image = '', reference = ''], { init, message, timeout }) {
    const seconds = timeout === undefined ? null : Number(timeout)
    if (seconds !== null && !(seconds > 0 && seconds <= LONGEST_SECONDS))
      throw new UsageError(`--timeout ${String(timeout)}: seconds, above 0 and up to ${LONGEST_SECONDS}`, { exitCode: 1 })
    return untilAborted(async ({ signal }) => {
      const [{ Engine }, { snapshotImage }] = await Promise.all([
        import('../../engine/engine.js'),
        import('../../plugin/snapshot-image.js'),
      ])
      await using engine = await Engine.open()
      const { id } = await snapshotImage(engine, {
        image,
        reference,
        signal,
        ...(init === undefined ? {} : { init: String(init) }),
        ...(message === undefined ? {} : { message: String(message) }),
        ...(seconds === null ? {} : { timeoutMs: seconds * 1000 }),
      })
      process.stdout.write(`${id}\n`)
      return 0
    })
  },
}

const LONGEST_SECONDS = 3600
