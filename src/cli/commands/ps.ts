import type { ContainerSummary } from '../../container/container.js'
import type { Engine } from '../../engine/engine.js'
import type { CliCommand } from '../command.js'
import { ellipsis, humanDuration, printable, table } from '../output.js'

/** `wolffia ps`: containers in a table, newest first. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser
      .option('-a, --all', 'also those that have ended or not started')
      .option('-q, --quiet', 'ids only')
      .option('--no-trunc', 'whole ids and commands')
  },
  async run(_positional, { all, quiet, trunc }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const containers = await engine.containers.list({ all: all === true })
    const idOf = ({ id }: ContainerSummary) => (trunc === false ? id : id.slice(0, 12))
    if (quiet === true) {
      process.stdout.write(containers.map((container) => `${idOf(container)}\n`).join(''))
      return 0
    }
    const imageOf = imageColumn(engine)
    const images = await Promise.all(containers.map(imageOf))
    const rows = containers.map((container, row) => [
      idOf(container),
      printable(images[row] ?? ''),
      commandOf(container, { whole: trunc === false }),
      `${humanDuration(Date.now() - container.createdAt.getTime())} ago`,
      statusOf(container),
      '',
      container.name,
    ])
    process.stdout.write(table(['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES'], rows))
    return 0
  },
}

/** The image as it was asked for; its short id once that name is gone or another's. */
function imageColumn(engine: Engine): (container: ContainerSummary) => Promise<string> {
  const asked = new Map<string, Promise<string | null>>()
  const idNow = (reference: string): Promise<string | null> => {
    const known = asked.get(reference)
    if (known !== undefined) return known
    const answer = engine.images.resolve(reference).then(
      ({ id }) => id,
      () => null,
    )
    asked.set(reference, answer)
    return answer
  }
  return async ({ image }) => {
    if (image === null) return ''
    return (await idNow(image.reference)) === image.id ? image.reference : image.id.slice('sha256:'.length).slice(0, 12)
  }
}

function commandOf({ command }: ContainerSummary, { whole }: { readonly whole: boolean }): string {
  const text = printable(command.join(' '))
  return `"${whole ? text : ellipsis(text, 20)}"`
}

/** `Up 2 minutes`, `Exited (0) 3 seconds ago`, `Created`, `Dead`, as docker words it. */
export function statusOf({ status, startedAt, finishedAt, exit }: ContainerSummary, nowMs = Date.now()): string {
  if (status === 'created') return 'Created'
  if (status === 'dead') return 'Dead'
  if (status === 'running') return `Up ${humanDuration(nowMs - (startedAt?.getTime() ?? nowMs))}`
  const when = finishedAt === null ? '' : ` ${humanDuration(nowMs - finishedAt.getTime())} ago`
  return `Exited (${exit?.exitCode ?? 0})${when}`
}
