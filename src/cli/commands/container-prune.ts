import type { CliCommand } from '../command.js'
import { confirmed } from '../confirm.js'
import { addFilterFlag, parseFilters } from '../filter.js'
import { PRUNE_FILTERS, prunedText, pruneFilter } from '../prune.js'

const QUESTION = 'WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] '

/** `wolffia container prune`: removes containers that do not run, after having asked. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    addFilterFlag(parser, PRUNE_FILTERS, '--filter')
    parser.option('-f, --force', 'do not ask')
  },
  async run(_positional, { force, filter }) {
    const matches = pruneFilter(parseFilters(filter, PRUNE_FILTERS))
    if (force !== true && !(await confirmed(QUESTION))) return 0
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const { ids, bytes } = await engine.containers.prune({ matches })
    process.stdout.write(prunedText([['Deleted Containers:', ids]], bytes))
    return 0
  },
}
