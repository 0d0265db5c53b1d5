import type { ContainerSummary } from '../../container/container.js'
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
    const rows = containers.map((container) => [
      idOf(container),
      container.image?.reference ?? '',
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
