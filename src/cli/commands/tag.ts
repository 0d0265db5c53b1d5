import type { CliCommand } from '../command.js'

/** `wolffia tag`: gives an image another name. */
export const command: CliCommand = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  arity: [2, 2],
  configure() {},
  async run([source = '', target = '']) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    await engine.images.tag(source, target)
    return 0
  },
}
