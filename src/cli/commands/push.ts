import type { PushEvent } from '../../registry/push-event.js'
import type { CliCommand } from '../command.js'
import { untilAborted } from '../foreground.js'
import { printable } from '../output.js'
import { PushProgress } from '../push-progress.js'

/** `wolffia push`: gives an image to its registry. */
export const command: CliCommand = {
  usage: 'IMAGE[:TAG]',
  arity: [1, 1],
  configure(parser) {
    parser
      .option('-a, --all-tags', 'all tags of the repository that are here')
      .option('--platform <os/arch>', 'only this one of an image for several platforms')
      .option('-q, --quiet', 'print the name of the image and nothing else')
      .addHelpText(
        'after',
        '\nIMAGE is named after where it goes: `wolffia tag app registry.example/team/app:1`, then `wolffia push registry.example/team/app:1`.\n' +
          'Layers that were made here are packed with gzip on the way. Credentials are those of `wolffia login`.',
      )
  },
  async run([name = ''], { allTags, platform, quiet }) {
    const isOfAllTags = allTags === true
    const isTagless = !isOfAllTags && !/:[^/]*$/.test(name)
    const progress = new PushProgress(process.stdout)
    const show = (event: PushEvent) => {
      if (event.event === 'incomplete') process.stderr.write(notHere(event))
      else if (quiet !== true) {
        if (event.event === 'begun' && isTagless) process.stdout.write('Using default tag: latest\n')
        progress.show(event)
      }
    }
    return untilAborted(async (signals) => {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      const pushed = await engine.images.push(name, {
        allTags: isOfAllTags,
        ...(platform === undefined ? {} : { platform: String(platform) }),
        progress: show,
        signal: signals.signal,
      })
      const names = pushed.map(({ reference }) => (isOfAllTags ? reference.replace(/:[^:/]*$/, '') : reference))
      if (quiet === true) process.stdout.write([...new Set(names)].map((full) => `${printable(full)}\n`).join(''))
      return 0
    })
  },
}

function notHere({ reference, missing }: Extract<PushEvent, { event: 'incomplete' }>): string {
  return `Not all platforms of ${printable(reference)} are here, and those that are not are left out: ${printable(missing.join(', '))}\n`
}
