import type { CliCommand } from '../command.js'
import { confirmed } from '../confirm.js'

const QUESTION = 'WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] '

/** `wolffia container prune`: removes containers that do not run, after having asked. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser.option('-f, --force', 'do not ask')
  },
  async run(_positional, { force }) {
    if (force !== true && !(await confirmed(QUESTION))) return 0
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const removed = await engine.containers.prune()
    const deleted = removed.length === 0 ? '' : `Deleted Containers:\n${removed.map((id) => `${id}\n`).join('')}\n`
    process.stdout.write(`${deleted}Total reclaimed space: 0B\n`)
    return 0
  },
}
