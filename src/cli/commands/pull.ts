import type { PulledImage } from '../../engine/image-summary.js'
import { isReference } from '../../engine/words.js'
import type { CliCommand } from '../command.js'
import { untilAborted } from '../foreground.js'
import { printable } from '../output.js'
import { PullProgress } from '../pull-progress.js'

/** `wolffia pull`: brings an image from its registry. */
export const command: CliCommand = {
  usage: 'NAME[:TAG|@DIGEST]',
  arity: [1, 1],
  configure(parser) {
    parser
      .option('-a, --all-tags', 'all tagged images of the repository')
      .option('--all-platforms', 'everything that an image for several platforms lists')
      .option('--platform <os/arch>', "linux/arm64, wasi/wasm; this machine's Linux, else wasi/wasm, unless said")
      .option('-q, --quiet', 'print the name of the image and nothing else')
      .addHelpText(
        'after',
        '\nRegistries, mirrors and short names are set in ~/.config/wolffia/registries.json, and CAs in ~/.config/wolffia/certs.d/HOST/ca.crt.\n' +
          'Credentials are those of docker: `wolffia login` keeps them.',
      )
  },
  async run([name = ''], { allTags, allPlatforms, platform, quiet }) {
    const isQuiet = quiet === true
    const isOfAllTags = allTags === true
    const progress = new PullProgress(process.stdout)
    return untilAborted(async (signals) => {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      if (!isQuiet && !isOfAllTags && !/[:@][^/]*$/.test(name) && isReference(name)) process.stdout.write('Using default tag: latest\n')
      const options = {
        ...(platform === undefined ? {} : { platform: String(platform) }),
        allPlatforms: allPlatforms === true,
        signal: signals.signal,
        ...(isQuiet ? {} : { progress: (event: Parameters<PullProgress['show']>[0]) => progress.show(event) }),
      }
      const pulled: readonly PulledImage[] = isOfAllTags
        ? await engine.images.pullAllTags(name, options)
        : [await engine.images.pull(name, options)]
      for (const full of new Set(pulled.map(({ reference }) => (isOfAllTags ? reference.replace(/:[^:/]*$/, '') : reference))))
        process.stdout.write(`${printable(full)}\n`)
      return 0
    })
  },
}
