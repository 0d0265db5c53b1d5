import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'

/** `wolffia rmi`: removes names of images, and images that have no name left. */
export const command: CliCommand = {
  usage: 'IMAGE [IMAGE...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser.option('-f, --force', 'also when containers use it, and pass over those that do not exist')
  },
  async run(names, { force, debug }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const forgiven = force === true ? 'IMAGE_NOT_FOUND' : undefined
    return await forEach(names, { command: 'rmi', debug: debug === true, forgiven }, async (name) => {
      const { untagged, deleted } = await engine.images.remove(name, { force: force === true })
      for (const reference of untagged) process.stdout.write(`Untagged: ${reference}\n`)
      for (const digest of deleted) process.stdout.write(`Deleted: ${digest}\n`)
    })
  },
}
