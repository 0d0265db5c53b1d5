import type { ImageManifest } from '../../engine/image-manifests.js'
import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { untilAborted } from '../foreground.js'
import { printable } from '../output.js'

/** `wolffia manifest inspect`: the manifest or index of an image as its registry has it. */
export const command: CliCommand = {
  usage: 'IMAGE',
  arity: [1, 2],
  configure(parser) {
    parser
      .option('--insecure', 'its registry may speak plain HTTP, or have any certificate')
      .option('-v, --verbose', 'also what it is for, and each manifest of an index')
      .addHelpText('after', '\nA name that its registry does not have is looked for here, and so is an id. Nothing is kept.')
  },
  async run(names, { insecure, verbose }) {
    const [name = ''] = names
    if (names.length > 1)
      throw new EngineError('NOT_BUILT', 'manifests that lie in a list of this machine alone are not built yet', {
        hint: 'Name the image alone: wolffia manifest inspect -v IMAGE shows each manifest of an index.',
      })
    return untilAborted(async ({ signal }) => {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      const found = await engine.images.manifest(name, { insecure: insecure === true, verbose: verbose === true, signal })
      if (found.notFromRegistry !== null) process.stderr.write(`What is here is shown: ${printable(found.notFromRegistry)}\n`)
      const isIndex = found.manifests.length > 0
      const shown = verbose !== true ? documentOf(found) : isIndex ? found.manifests.map(described) : described(found)
      process.stdout.write(`${escaped(JSON.stringify(shown, null, '\t'))}\n`)
      return 0
    })
  },
}

function documentOf({ bytes }: ImageManifest): unknown {
  return JSON.parse(new TextDecoder().decode(bytes))
}

/** As docker shows one with `-v`. */
function described(manifest: ImageManifest): object {
  const { reference, mediaType, digest, sizeBytes: size, platform, bytes } = manifest
  const isOci = mediaType.startsWith('application/vnd.oci.')
  return {
    Ref: reference,
    Descriptor: { mediaType, digest, size, ...(platform === null ? {} : { platform }) },
    Raw: Buffer.from(bytes).toString('base64'),
    [isOci ? 'OCIManifest' : 'SchemaV2Manifest']: documentOf(manifest),
  }
}

/** What JSON leaves as it is, and a terminal does not. */
function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
