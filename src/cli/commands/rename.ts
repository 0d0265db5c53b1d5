import type { CliCommand } from '../command.js'

/** `wolffia rename`: gives a container another name. */
export const command: CliCommand = {
  usage: 'CONTAINER NEW_NAME',
  arity: [2, 2],
  configure() {},
  async run([name = '', newName = '']) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    await (await engine.containers.get(name)).rename(newName.replace(/^\//, ''))
    return 0
  },
}
