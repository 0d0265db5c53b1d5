import type { CliCommand } from '../command.js'

/** `wolffia internal`: what launchers run for containers that nobody waits for (`container/hooks`). Not for people. */
export const command: CliCommand = {
  usage: 'ended|health ID',
  arity: [2, 2],
  configure() {},
  async run([what, id = '']) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    if (what === 'ended') await engine.containers.afterEnd(id)
    else if (what === 'health') await engine.containers.checkHealth(id)
    return 0
  },
}
