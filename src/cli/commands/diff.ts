import type { CliCommand } from '../command.js'
import { printable } from '../output.js'

const LETTERS = { added: 'A', modified: 'C', deleted: 'D' } as const

/** `wolffia diff`: what a container has added to its image's files, changed and deleted. */
export const command: CliCommand = {
  usage: 'CONTAINER',
  arity: [1, 1],
  configure() {},
  async run([name = '']) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const { changes } = await (await engine.containers.get(name)).written()
    const shown = (path: string) => printable(Buffer.from(path, 'latin1').toString('utf8'))
    process.stdout.write(changes.map(({ path, kind }) => `${LETTERS[kind]} /${shown(path)}\n`).join(''))
    return 0
  },
}
