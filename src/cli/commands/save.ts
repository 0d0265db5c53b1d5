import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { assertOutputPath, writeOutputFile, writeToStdout } from '../output-file.js'

const FORMATS = ['docker-archive', 'oci-archive'] as const
const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const

/** `wolffia save`: images as a tar that docker, podman, skopeo and wolffia load. */
export const command: CliCommand = {
  usage: 'IMAGE [IMAGE...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-o, --output <file>', 'write to a file; to stdout unless said')
      .option('--platform <os/arch>', 'only this one of an image for several')
      .option('--format <format>', 'docker-archive, which is an OCI layout too, or oci-archive')
      .option('--compression <kind>', 'pack the layers anew: none, gzip or zstd; as they are stored unless said')
  },
  async run(images, { output, platform, format, compression }) {
    const options = {
      ...(platform === undefined ? {} : { platform: String(platform) }),
      ...(format === undefined ? {} : { format: oneOf(FORMATS, 'format', String(format)) }),
      ...(compression === undefined ? {} : { compression: oneOf(COMPRESSIONS, 'compression', String(compression)) }),
    }
    if (output === undefined && process.stdout.isTTY)
      throw new EngineError('INVALID_ARGUMENT', 'cowardly refusing to save to a terminal', { hint: 'Use the -o flag or redirect.' })
    if (output !== undefined) assertOutputPath(String(output))
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const archive = await engine.images.save(images, options)
    if (output === undefined) await writeToStdout(archive)
    else await writeOutputFile(String(output), archive)
    return 0
  },
}

function oneOf<T extends string>(allowed: readonly T[], flag: string, given: string): T {
  const found = allowed.find((word) => word === given)
  if (found !== undefined) return found
  throw new EngineError('INVALID_ARGUMENT', `invalid value for --${flag}: ${JSON.stringify(given)}`, {
    hint: `It is one of ${allowed.join(', ')}.`,
  })
}
