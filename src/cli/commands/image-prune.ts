import type { CliCommand } from '../command.js'
import { confirmed } from '../confirm.js'
import { addFilterFlag, parseFilters } from '../filter.js'
import { PRUNE_FILTERS, prunedText, pruneFilter, pruneImages } from '../prune.js'

/** `wolffia image prune`: removes images that nobody can name, or all that no container uses, after having asked. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    addFilterFlag(parser, PRUNE_FILTERS, '--filter')
    parser.option('-a, --all', 'all images that no container uses, and not only those without a name').option('-f, --force', 'do not ask')
  },
  async run(_positional, { all, force, filter }) {
    const matches = pruneFilter(parseFilters(filter, PRUNE_FILTERS))
    const what = all === true ? 'all images without at least one container associated to them' : 'all dangling images'
    const question = `WARNING! This will remove ${what}.\nAre you sure you want to continue? [y/N] `
    if (force !== true && !(await confirmed(question))) return 1
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const { lines, bytes } = await pruneImages(engine, { all: all === true, matches })
    process.stdout.write(prunedText([['Deleted Images:', lines]], bytes))
    return 0
  },
}
