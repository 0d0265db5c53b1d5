import type { CliCommand } from '../command.js'
import { printable } from '../output.js'

/** `wolffia __complete -- WORD...`: what the scripts of `wolffia completion` ask. Its output is described there. */
export const command: CliCommand = {
  usage: '-- WORD...',
  arity: [0, Number.POSITIVE_INFINITY],
  configure() {},
  async run(words) {
    const { candidatesFor, engineNames } = await import('../candidates.js')
    const open = async () => (await import('../../engine/engine.js')).Engine.open()
    const { offered, files } = await candidatesFor(words, engineNames(open))
    const lines = offered.map(({ text, about }) => printable(text) + (about === undefined ? '' : `\t${printable(about)}`))
    process.stdout.write([...lines, files ? ':files' : ':done', ''].join('\n'))
    return 0
  },
}
