import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { UsageError } from '../report.js'

/** `wolffia load`: takes what `docker save` or skopeo wrote, from a file or stdin. */
export const command: CliCommand = {
  usage: '',
  arity: [0, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-i, --input <file>', 'an archive, or the folder of an OCI layout; stdin unless said')
      .option('-q, --quiet', 'print nothing')
  },
  async run([file], { input, quiet }) {
    if (file !== undefined)
      throw new UsageError("'wolffia load' requires no arguments", {
        exitCode: 1,
        hint: `Name the archive with -i: wolffia load -i ${file}`,
      })
    if (input === undefined && process.stdin.isTTY)
      throw new EngineError('INVALID_ARGUMENT', 'requested load from stdin, but stdin is empty', {
        hint: 'Name the archive: wolffia load -i image.tar, or pipe it in.',
      })
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const images = await engine.images.load(input === undefined ? process.stdin : String(input))
    if (quiet === true) return 0
    for (const image of images) {
      if (image.references.length === 0) process.stdout.write(`Loaded image ID: ${image.id}\n`)
      for (const reference of image.references) process.stdout.write(`Loaded image: ${reference}\n`)
    }
    return 0
  },
}
