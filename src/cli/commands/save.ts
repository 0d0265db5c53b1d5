import type { SaveOptions } from '../../engine/image-summary.js'
import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { assertOutputPath, writeOutputFile, writeToStdout } from '../output-file.js'

const FORMATS = ['docker-archive', 'oci-archive', 'oci-dir'] as const
const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const

/** `wolffia save`: images as a tar that docker, podman, skopeo and wolffia load, or as the folder of an OCI layout. */
export const command: CliCommand = {
  usage: 'IMAGE [IMAGE...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-o, --output <path>', 'write to a file, or with oci-dir to a folder; to stdout unless said')
      .option('--platform <os/arch>', 'only this one of an image for several')
      .option('--format <format>', 'docker-archive, which is an OCI layout too, oci-archive, or oci-dir, a folder')
      .option('--compression <kind>', 'pack the layers anew: none, gzip or zstd; as they are stored unless said')
  },
  async run(images, { output, platform, format, compression }) {
    const form = oneOf(FORMATS, 'format', String(format ?? 'docker-archive'))
    const options = {
      ...(platform === undefined ? {} : { platform: String(platform) }),
      ...(compression === undefined ? {} : { compression: oneOf(COMPRESSIONS, 'compression', String(compression)) }),
    }
    if (form === 'oci-dir') return saveFolder(images, output, options)
    if (output === undefined && process.stdout.isTTY)
      throw new EngineError('INVALID_ARGUMENT', 'cowardly refusing to save to a terminal', { hint: 'Use the -o flag or redirect.' })
    if (output !== undefined) assertOutputPath(String(output))
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const archive = await engine.images.save(images, { ...options, format: form })
    if (output === undefined) await writeToStdout(archive)
    else await writeOutputFile(String(output), archive)
    return 0
  },
}

async function saveFolder(images: readonly string[], output: unknown, options: Omit<SaveOptions, 'format'>): Promise<number> {
  if (output === undefined)
    throw new EngineError('INVALID_ARGUMENT', 'a folder cannot be written to stdout', { hint: 'Name it: -o FOLDER' })
  const { Engine } = await import('../../engine/engine.js')
  await using engine = await Engine.open()
  await engine.images.saveLayout(images, String(output), options)
  return 0
}

function oneOf<T extends string>(allowed: readonly T[], flag: string, given: string): T {
  const found = allowed.find((word) => word === given)
  if (found !== undefined) return found
  throw new EngineError('INVALID_ARGUMENT', `invalid value for --${flag}: ${JSON.stringify(given)}`, {
    hint: `It is one of ${allowed.join(', ')}.`,
  })
}
