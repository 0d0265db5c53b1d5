import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { confirmed } from '../confirm.js'
import { addFilterFlag, parseFilters } from '../filter.js'
import { PRUNE_FILTERS, prunedText, pruneFilter, pruneImages } from '../prune.js'

/** `wolffia system prune`: removes containers that do not run, images that nobody can name or uses, and anonymous volumes, after having asked. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    addFilterFlag(parser, PRUNE_FILTERS, '--filter')
    parser
      .option('-a, --all', 'all images that no container uses, and not only those without a name')
      .option('-f, --force', 'do not ask')
      .option('--volumes', 'anonymous volumes that no container has, too')
  },
  async run(_positional, { all, force, volumes, filter }) {
    const filters = parseFilters(filter, PRUNE_FILTERS)
    if (volumes === true && filters.has('until'))
      throw new EngineError('INVALID_ARGUMENT', 'the "until" filter is not supported with "--volumes"', {
        hint: 'Leave out --volumes, and remove volumes with `wolffia volume prune`.',
      })
    const matches = pruneFilter(filters)
    if (force !== true && !(await confirmed(question({ all: all === true, volumes: volumes === true })))) return 1
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const containers = await engine.containers.prune({ matches })
    const volumesGone = volumes === true ? await engine.volumes.prune({ matches }) : { names: [], bytes: 0 }
    const images = await pruneImages(engine, { all: all === true, matches })
    await engine.endHolder()
    const lists = [
      ['Deleted Containers:', containers.ids],
      ['Deleted Volumes:', volumesGone.names],
      ['Deleted Images:', images.lines],
    ] as const
    process.stdout.write(prunedText(lists, containers.bytes + volumesGone.bytes + images.bytes))
    return 0
  },
}

function question({ all, volumes }: { readonly all: boolean; readonly volumes: boolean }): string {
  const what = [
    'all stopped containers',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
  ]
  return `WARNING! This will remove:\n${what.map((line) => `  - ${line}\n`).join('')}\nAre you sure you want to continue? [y/N] `
}
