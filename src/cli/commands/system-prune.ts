import type { Engine } from '../../engine/engine.js'
import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { confirmed } from '../confirm.js'
import { humanSize } from '../output.js'

/** `wolffia system prune`: removes containers that do not run, images that nobody can name or uses, and anonymous volumes, after having asked. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser
      .option('-a, --all', 'all images that no container uses, and not only those without a name')
      .option('-f, --force', 'do not ask')
      .option('--volumes', 'anonymous volumes that no container has, too')
  },
  async run(_positional, { all, force, volumes }) {
    if (force !== true && !(await confirmed(question({ all: all === true, volumes: volumes === true })))) return 1
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const before = (await engine.diskUsage()).containers
    const containers = await engine.containers.prune()
    let bytes = before.reduce((sum, { container, bytes }) => sum + (containers.includes(container.id) ? bytes : 0), 0)
    const volumesGone = volumes === true ? await engine.volumes.prune() : { names: [], bytes: 0 }
    const images = await pruneImages(engine, { all: all === true })
    bytes += volumesGone.bytes + images.bytes
    const lists = [
      ['Deleted Containers:', containers],
      ['Deleted Volumes:', volumesGone.names],
      ['Deleted Images:', images.lines],
    ] as const
    for (const [heading, lines] of lists)
      if (lines.length > 0) process.stdout.write(`${heading}\n${lines.map((line) => `${line}\n`).join('')}\n`)
    process.stdout.write(`Total reclaimed space: ${humanSize(bytes)}\n`)
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

async function pruneImages(
  engine: Engine,
  { all }: { readonly all: boolean },
): Promise<{ readonly lines: readonly string[]; readonly bytes: number }> {
  const { images } = await engine.diskUsage()
  const lines: string[] = []
  for (const { image, containers } of images.items) {
    if (containers > 0 || (!all && image.references.length > 0)) continue
    try {
      const { untagged, deleted } = await engine.images.remove(image.id, { force: image.references.length > 1 })
      lines.push(...untagged.map((name) => `untagged: ${name}`), ...deleted.map((id) => `deleted: ${id}`))
    } catch (error) {
      // A container has come to use it, or it is gone.
      if (!(error instanceof EngineError)) throw error
    }
  }
  return { lines, bytes: lines.length === 0 ? 0 : images.bytes - (await engine.diskUsage()).images.bytes }
}
