import type { ImportOptions } from '../../engine/image-summary.js'
import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'

/** `wolffia import`: makes an image of a root file system's tar or of a .wasm module, from a file or stdin, and prints its id. */
export const command: CliCommand = {
  usage: 'FILE|- [REPOSITORY[:TAG]]',
  arity: [1, 2],
  configure(parser) {
    parser
      .option(
        '-c, --change <instruction>',
        'ENV, CMD, ENTRYPOINT, WORKDIR, USER or LABEL as in a Dockerfile',
        (value, before: readonly string[] | undefined) => [...(before ?? []), value],
      )
      .option('-m, --message <text>', "comment in the image's history")
      .option('--platform <os/arch>', 'linux/amd64, wasi/wasm; by the file unless said')
  },
  async run([file = '', reference], { change, message, platform }) {
    if (/^https?:\/\//.test(file))
      throw new EngineError('NOT_BUILT', 'importing from a URL is not built yet', {
        hint: `Pipe it in: curl -L ${file} | wolffia import - NAME`,
      })
    const options: ImportOptions = {
      changes: (change as readonly string[] | undefined) ?? [],
      ...(reference === undefined ? {} : { reference }),
      ...(message === undefined ? {} : { message: String(message) }),
      ...(platform === undefined ? {} : { platform: String(platform) }),
    }
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const image = await engine.images.import(file === '-' ? process.stdin : file, options)
    process.stdout.write(`${image.id}\n`)
    return 0
  },
}
